#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stddef.h>
#include <zlib.h>

int native_sum(const int *numbers, size_t count);
int native_scale(int number, int factor);
