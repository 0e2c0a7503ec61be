/*
 * A small thread pool. Jobs are long (they wait for AWS), so the pool starts a thread whenever a
 * job finds no idle one, up to its maximum, and lets threads end after a minute without work. One
 * that ends joins the one that ended before it, and the drain joins the last: then nothing of them
 * is left, not even what libraries keep for each thread. They block all signals; those belong to
 * the main thread.
 *
 * Invariants under the lock: idle <= threads <= max; a queued job exists only while idle threads
 * are on their way to it or threads == max.
 */
#include "base/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { IDLE_S = 60 };

struct job {
    struct job *next;
    void (*run)(void *arg);
    void *arg;
};

struct worker {
    struct jobs *jobs;
    pthread_t thread;
};

struct jobs {
    pthread_mutex_t lock;
    pthread_cond_t added, ended;
    struct job *first, **last;
    struct worker *gone; /* the last that ended; to be joined */
    unsigned queued, threads, idle, max;
    bool closed;
    char name[16];
};

int jobs_new(struct jobs **ret, const char *name, unsigned max_threads)
{
    struct jobs *j = calloc(1, sizeof(*j));

    if (j == NULL)
        return -ENOMEM;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->added, NULL);
    pthread_cond_init(&j->ended, NULL);
    j->last = &j->first;
    j->max = MAX(max_threads, 1u);
    (void)snprintf(j->name, sizeof(j->name), "%s", name);
    *ret = j;
    return 0;
}

static struct job *take(struct jobs *j)
{
    struct job *job = j->first;

    if (job != NULL) {
        j->first = job->next;
        if (j->first == NULL)
            j->last = &j->first;
        j->queued--;
    }
    return job;
}

/* With the lock: the next job, or NULL when this thread shall end. */
static struct job *wait_for_job(struct jobs *j)
{
    struct timespec t;
    struct job *job;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += IDLE_S;
    j->idle++;
    while ((job = take(j)) == NULL && !j->closed && r != ETIMEDOUT)
        r = pthread_cond_clockwait(&j->added, &j->lock, CLOCK_MONOTONIC, &t);
    j->idle--;
    return job;
}

/* Without the lock; w was taken from the pool, or is NULL. */
static void join(struct worker *w)
{
    if (w)
        pthread_join(w->thread, NULL);
    free(w);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct jobs *j = w->jobs;
    struct job *job;

    pthread_setname_np(pthread_self(), j->name);
    pthread_mutex_lock(&j->lock);
    while ((job = wait_for_job(j)) != NULL) {
        pthread_mutex_unlock(&j->lock);
        job->run(job->arg);
        free(job);
        pthread_mutex_lock(&j->lock);
    }
    j->threads--;
    struct worker *before = j->gone;
    j->gone = w;
    pthread_cond_broadcast(&j->ended);
    pthread_mutex_unlock(&j->lock);
    join(before);
    return NULL;
}

static int start_thread(struct jobs *j)
{
    struct worker *w = malloc(sizeof(*w));
    sigset_t all, old;
    int r;

    if (!w)
        return -ENOMEM;
    *w = (struct worker){.jobs = j};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0)
        j->threads++;
    else
        free(w);
    return -r;
}

int jobs_add(struct jobs *j, void (*run)(void *arg), void *arg)
{
    struct job *job = malloc(sizeof(*job));
    int r = 0;

    if (job == NULL)
        return -ENOMEM;
    *job = (struct job){.run = run, .arg = arg};
    pthread_mutex_lock(&j->lock);
    if (j->closed)
        r = -ESHUTDOWN;
    else if (j->idle <= j->queued && j->threads < j->max && start_thread(j) < 0 && j->threads == 0)
        r = -EAGAIN;
    if (r == 0) {
        *j->last = job;
        j->last = &job->next;
        j->queued++;
        pthread_cond_signal(&j->added);
    }
    pthread_mutex_unlock(&j->lock);
    if (r < 0)
        free(job);
    return r;
}

void jobs_drain(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    j->closed = true;
    pthread_cond_broadcast(&j->added);
    while (j->threads > 0)
        pthread_cond_wait(&j->ended, &j->lock);
    struct worker *gone = steal_ptr(j->gone);
    pthread_mutex_unlock(&j->lock);
    join(gone);
}

void jobs_free(struct jobs *j)
{
    if (j == NULL)
        return;
    jobs_drain(j);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->added);
    pthread_cond_destroy(&j->ended);
    free(j);
}
