#include <stddef.h>

int native_sum(const int *numbers, size_t count) {
    int sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i];
    return sum;
}
