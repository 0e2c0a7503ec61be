/*
 * One system call after another, timed: what a shell or Python would add to each would hide what is
 * to be compared. Paths come from standard input, one a line, relative to the working directory.
 *
 *   loops time  stat|missing|read ROUNDS    all paths in their order, ROUNDS times: nanoseconds a
 * path loops watch stat|read|list              one of the paths after the other, a millisecond
 * apart, until SIGTERM: number, median, 99th percentile, greatest (ns)
 *
 * A call that does not end as it should ends the program: a number that counts errors is worthless.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct list {
    char **paths;
    size_t n, cap;
};

static volatile sig_atomic_t stopped;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "loops: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- what is timed --- */

static void do_stat(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        fail(path);
}

static void do_missing(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 || errno != ENOENT)
        fail(path);
}

static void do_read(const char *path)
{
    static char buffer[1 << 16];
    int fd = open(path, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        fail(path);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        continue;
    if (n < 0)
        fail(path);
    close(fd);
}

static void do_list(const char *path)
{
    DIR *d = opendir(path);

    if (!d)
        fail(path);
    errno = 0;
    while (readdir(d))
        continue;
    if (errno)
        fail(path);
    closedir(d);
}

static const struct loop {
    const char *name;
    void (*call)(const char *path);
} loops[] = {{"stat", do_stat}, {"missing", do_missing}, {"read", do_read}, {"list", do_list}};

/* --- the two ways --- */

static void time_all(const struct loop *l, const struct list *list, int rounds)
{
    int64_t begun = now_ns();

    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < list->n; i++)
            l->call(list->paths[i]);
    printf("%.1f\n", (double)(now_ns() - begun) / ((double)rounds * (double)list->n));
}

static int by_size(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return (a > b) - (a < b);
}

static void on_term(int number)
{
    (void)number;
    stopped = 1;
}

static void watch(const struct loop *l, const struct list *list)
{
    const struct timespec apart = {0, 1000000};
    struct sigaction term = {.sa_handler = on_term, .sa_flags = SA_RESTART};
    size_t n = 0, cap = 1 << 20;
    int64_t *took = calloc(cap, sizeof(*took));

    if (!took)
        fail("memory");
    sigaction(SIGTERM, &term, NULL);
    puts("watching");
    fflush(stdout);
    do {
        int64_t begun = now_ns();

        l->call(list->paths[n % list->n]);
        took[n++] = now_ns() - begun;
        nanosleep(&apart, NULL);
    } while (!stopped && n < cap);
    qsort(took, n, sizeof(*took), by_size);
    printf("%zu %lld %lld %lld\n", n, (long long)took[n / 2], (long long)took[n - 1 - n / 100],
           (long long)took[n - 1]);
    free(took);
}

static void read_paths(struct list *list)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;

    while ((n = getline(&line, &size, stdin)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (list->n == list->cap) {
            list->cap = list->cap ? list->cap * 2 : 1024;
            list->paths = reallocarray(list->paths, list->cap, sizeof(*list->paths));
            if (!list->paths)
                fail("memory");
        }
        list->paths[list->n] = strdup(line);
        if (!list->paths[list->n++])
            fail("memory");
    }
    free(line);
}

int main(int argc, char *argv[])
{
    const struct loop *found = NULL;
    static struct list list; /* never freed, and no leak */

    for (size_t i = 0; argc > 2 && i < sizeof(loops) / sizeof(loops[0]); i++)
        if (strcmp(argv[2], loops[i].name) == 0)
            found = &loops[i];
    read_paths(&list);
    if (found && list.n > 0 && argc == 4 && strcmp(argv[1], "time") == 0)
        time_all(found, &list, atoi(argv[3]));
    else if (found && list.n > 0 && argc == 3 && strcmp(argv[1], "watch") == 0)
        watch(found, &list);
    else
        return fputs("usage: loops time CALL ROUNDS | watch CALL < PATHS\n", stderr), 2;
    return 0;
}
