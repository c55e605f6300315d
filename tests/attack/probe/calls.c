/* Makes the kernel calls that its arguments name and prints how each ended. Inert without CSBENCH=1.
 *
 *   calls NAME:NUMBER[,ARGUMENT...]...     each in a child of its own; i386/NUMBER goes through int 0x80, x32/NUMBER with
 *                                          bit 30. Arguments are numbers of 64 bits, or `buf`: the address of zeros.
 *   prints NAME=ok | errno N | signal N, one a line
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char zeros[4096] __attribute__((aligned(4096)));

static int foreign(long number) {
#ifdef __x86_64__
    long value;
    __asm__ volatile("int $0x80" : "=a"(value) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    return value < 0 && value > -4096 ? (int)-value : 0;
#else
    (void)number;
    return ENOSYS;
#endif
}

static int act(char *text) {
    int i386 = strncmp(text, "i386/", 5) == 0, x32 = strncmp(text, "x32/", 4) == 0;
    unsigned long words[7] = {0};
    char *word = strtok(text + (i386 ? 5 : x32 ? 4 : 0), ",");
    for (int index = 0; word && index < 7; index++, word = strtok(NULL, ","))
        words[index] = strcmp(word, "buf") == 0 ? (unsigned long)zeros : strtoul(word, NULL, 0);
    if (i386)
        return foreign((long)words[0]);
    if (x32)
        words[0] |= 0x40000000;
    if (syscall((long)words[0], words[1], words[2], words[3], words[4], words[5], words[6]) == -1)
        return errno;
    return 0;
}

int main(int count, char **arguments) {
    const char *wanted = getenv("CSBENCH");
    if (!wanted || strcmp(wanted, "1") != 0)
        return 0;
    for (int index = 1; index < count; index++) {
        char *text = strchr(arguments[index], ':');
        if (!text)
            return 2;
        *text++ = 0;
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            _exit(act(text));
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 3;
        if (WIFSIGNALED(status))
            printf("%s=signal %d\n", arguments[index], WTERMSIG(status));
        else if (WEXITSTATUS(status))
            printf("%s=errno %d\n", arguments[index], WEXITSTATUS(status));
        else
            printf("%s=ok\n", arguments[index]);
    }
    return 0;
}
