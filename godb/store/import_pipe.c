/* import_pipe.c - blocks of rows in, database out: sorting and encoding on several threads, writing
 * in the order of submission.
 *
 *    feeding thread             workers                       whoever finished the oldest job
 *    fills job `submitted` ---> take jobs in order, sort  --->  writes jobs `written`, ... in
 * order, of a ring of JOBS          and encode side by side         one thread at a time
 */
#include "import_pipe.h"

#include "encoder.h"
#include "gp/mem.h"
#include "import_writers.h"

#include <pthread.h>
#include <stdio.h>

enum {
    JOBS = 8,                      /* in flight at most */
    JOB_BLOCKS = 64,               /* blocks of a job at most */
    JOB_ROWS = 16384,              /* rows from which a job goes off */
    ROWS_IN_FLIGHT = 4194304,      /* rows of all jobs at most, unless one block alone has more */
    KEEP_SORTER_ROWS = 262144,     /* sorters that had more rows are freed, not reused */
    MAX_SPARE = JOBS * JOB_BLOCKS, /* sorters kept for reuse */
    COMMITTERS = 4                 /* threads that commit interfaces when a day is over */
};

struct block {
    uint32_t iface;
    const char *iface_name; /* borrowed from the names */
    int64_t time_s;
    uint64_t line, rows;
    godb_sorter *sorter; /* owned */
    godb_payload payload;
    godb_encoded encoded;
};

struct job {
    struct block block[JOB_BLOCKS];
    size_t n, n_ok; /* blocks; how many of them are encoded */
    uint64_t rows;
    int done;     /* the worker is through */
    gp_status st; /* why block n_ok is not encoded */
    gp_err err;
};

struct godb_pipe {
    const char *name;
    godb_writer_opts opts;
    unsigned threads;
    godb_names names; /* feeding thread */
    int filling;      /* likewise: job `submitted` has blocks and waits for more */
    /* the fields below belong to mu */
    pthread_mutex_t mu;
    pthread_cond_t work, space; /* a job was submitted or the end came; one was written */
    uint64_t submitted, taken, written;
    uint64_t rows_in_flight;
    unsigned running; /* workers that have not returned */
    int stop, writing;
    gp_status st; /* first failure in the order of blocks */
    gp_err err;
    uint64_t rows_written, blocks_written;
    godb_sorter *spare[MAX_SPARE];
    size_t n_spare;
    /* belongs to the one thread that has set `writing` */
    godb_writers writers;
    struct job job[JOBS];
    godb_encoder inline_encoder; /* of the feeding thread, without workers */
};

static void encode_job(struct godb_pipe *p, struct job *j, godb_encoder *x)
{
    for (j->n_ok = 0; j->n_ok < j->n; j->n_ok++) {
        struct block *b = &j->block[j->n_ok];
        godb_rows rows;
        j->st = godb_sorter_finish(b->sorter, 1, &rows, &j->err);
        if (j->st == GP_OK)
            j->st = godb_encode_rows(x, p->opts.codec, p->opts.level, b->time_s, &rows, 0,
                                     &b->payload, &b->encoded, &j->err);
        if (j->st != GP_OK)
            return;
    }
}

/* Keep or free the sorters of a job that is over. Called with mu held. */
static void recycle(struct godb_pipe *p, struct job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        struct block *b = &j->block[i];
        if (b->rows <= KEEP_SORTER_ROWS && p->n_spare < MAX_SPARE)
            p->spare[p->n_spare++] = b->sorter;
        else
            godb_sorter_free(b->sorter);
        b->sorter = NULL;
    }
    p->rows_in_flight -= j->rows;
    j->n = j->n_ok = 0;
    j->rows = 0;
    j->done = 0;
}

/* Write the blocks of a job that are encoded. Only by the thread that has set `writing`. */
static void write_job(struct godb_pipe *p, struct job *j)
{
    uint64_t blocks = 0, rows = 0;
    gp_status st = GP_OK;
    gp_err err = {0};
    const struct block *b = NULL;

    for (size_t i = 0; i < j->n_ok && st == GP_OK; i++) {
        b = &j->block[i];
        st = godb_writers_append(&p->writers, b->iface, b->iface_name, &b->encoded, b->rows, &err);
        blocks += st == GP_OK;
        rows += st == GP_OK ? b->rows : 0;
    }
    if (st == GP_OK && j->st != GP_OK) {
        b = &j->block[j->n_ok];
        err = j->err;
        st = j->st;
    }
    pthread_mutex_lock(&p->mu);
    p->blocks_written += blocks;
    p->rows_written += rows;
    if (st != GP_OK) {
        p->err = err;
        p->st = gp_fail_context(&p->err, st, "%s:%llu", p->name, (unsigned long long)b->line);
    }
    pthread_mutex_unlock(&p->mu);
}

/* Write what is next in order, as far as it is encoded. Called with mu held, which is given up in
 * between. After a failure jobs are only thrown away. */
static void write_ready(struct godb_pipe *p)
{
    while (!p->writing && p->written < p->submitted && p->job[p->written % JOBS].done) {
        struct job *j = &p->job[p->written % JOBS];
        p->writing = 1;
        if (p->st == GP_OK) {
            pthread_mutex_unlock(&p->mu);
            write_job(p, j);
            pthread_mutex_lock(&p->mu);
        }
        recycle(p, j);
        p->writing = 0;
        p->written++;
        pthread_cond_broadcast(&p->space);
    }
}

static void worker(void *arg)
{
    struct godb_pipe *p = arg;
    godb_encoder x = {0};
    gp_err err = {0};
    gp_status ready = godb_encoder_init(&x, &err);

    pthread_mutex_lock(&p->mu);
    for (;;) {
        while (p->taken == p->submitted && !p->stop)
            pthread_cond_wait(&p->work, &p->mu);
        if (p->taken == p->submitted)
            break;
        struct job *j = &p->job[p->taken++ % JOBS];
        int failed = p->st != GP_OK;
        pthread_mutex_unlock(&p->mu);
        j->st = ready;
        j->err = err;
        if (ready == GP_OK && !failed)
            encode_job(p, j, &x);
        pthread_mutex_lock(&p->mu);
        j->done = 1;
        write_ready(p);
    }
    p->running--;
    pthread_cond_broadcast(&p->space);
    pthread_mutex_unlock(&p->mu);
    godb_encoder_free(&x);
}

gp_status godb_pipe_new(const godb_pipe_opts *o, godb_pipe **out, gp_err *err)
{
    godb_pipe *p = gp_calloc(1, sizeof *p);

    if (!p)
        return gp_fail(err, GP_ENOMEM, 0, "import: out of memory");
    p->name = o->name;
    p->opts = o->writer;
    p->threads = o->threads;
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->space, NULL);
    godb_writers_init(&p->writers, o->root, &o->writer, o->threads == 0 ? 1 : COMMITTERS);
    gp_status st = o->threads == 0 ? godb_encoder_init(&p->inline_encoder, err) : GP_OK;
    p->running = 0;
    for (unsigned i = 0; i < o->threads && st == GP_OK; i++) {
        pthread_mutex_lock(&p->mu);
        p->running++;
        pthread_mutex_unlock(&p->mu);
        st = gp_pool_submit(o->pool, worker, p);
        if (st != GP_OK) {
            pthread_mutex_lock(&p->mu);
            p->running--;
            pthread_mutex_unlock(&p->mu);
            (void)gp_fail(err, st, 0, "import: starting a worker failed");
        }
    }
    if (st != GP_OK) {
        godb_pipe_free(p);
        return st;
    }
    *out = p;
    return GP_OK;
}

/* Until all jobs are written and, with stop, all workers are gone. */
static void drain(godb_pipe *p, int stop)
{
    pthread_mutex_lock(&p->mu);
    p->stop = stop;
    pthread_cond_broadcast(&p->work);
    while (p->written < p->submitted || (stop && p->running > 0))
        pthread_cond_wait(&p->space, &p->mu);
    pthread_mutex_unlock(&p->mu);
}

void godb_pipe_free(godb_pipe *p)
{
    if (!p)
        return;
    drain(p, 1);
    for (size_t i = 0; i < JOBS; i++) {
        for (size_t k = 0; k < p->job[i].n; k++)
            godb_sorter_free(p->job[i].block[k].sorter);
        for (size_t k = 0; k < JOB_BLOCKS; k++)
            godb_payload_free(&p->job[i].block[k].payload);
    }
    while (p->n_spare > 0)
        godb_sorter_free(p->spare[--p->n_spare]);
    godb_writers_free(&p->writers);
    godb_encoder_free(&p->inline_encoder);
    godb_names_free(&p->names);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->space);
    pthread_mutex_destroy(&p->mu);
    gp_free(p);
}

gp_status godb_pipe_iface(godb_pipe *p, const char *name, size_t len, uint32_t *iface)
{
    return godb_names_get(&p->names, name, len, iface);
}

gp_status godb_pipe_sorter(godb_pipe *p, godb_sorter **out, gp_err *err)
{
    godb_sorter *s = NULL;

    pthread_mutex_lock(&p->mu);
    if (p->n_spare > 0)
        s = p->spare[--p->n_spare];
    pthread_mutex_unlock(&p->mu);
    if (!s)
        return godb_sorter_new(out, err);
    godb_sorter_clear(s);
    *out = s;
    return GP_OK;
}

/* The job being filled goes off. */
static void send_job(godb_pipe *p)
{
    struct job *j = &p->job[p->submitted % JOBS];

    if (p->threads == 0) {
        encode_job(p, j, &p->inline_encoder);
        j->done = 1;
    }
    p->filling = 0;
    pthread_mutex_lock(&p->mu);
    p->submitted++;
    pthread_cond_signal(&p->work);
    if (p->threads == 0)
        write_ready(p);
    pthread_mutex_unlock(&p->mu);
}

/* The job to fill next, when rows more rows may be taken in. */
static struct job *job_for(godb_pipe *p, uint64_t rows)
{
    pthread_mutex_lock(&p->mu);
    struct job *j = &p->job[p->submitted % JOBS];
    while (p->submitted - p->written == JOBS ||
           (p->rows_in_flight + rows > ROWS_IN_FLIGHT && p->written < p->submitted))
        pthread_cond_wait(&p->space, &p->mu);
    p->rows_in_flight += rows;
    pthread_mutex_unlock(&p->mu);
    return j;
}

static gp_status failure(godb_pipe *p, gp_err *err)
{
    pthread_mutex_lock(&p->mu);
    gp_status st = p->st;
    if (st != GP_OK && err)
        *err = p->err;
    pthread_mutex_unlock(&p->mu);
    return st;
}

gp_status godb_pipe_submit(godb_pipe *p, uint32_t iface, int64_t time_s, uint64_t line,
                           godb_sorter *s, uint64_t n, gp_err *err)
{
    struct job *j = job_for(p, n);
    struct block *b = &j->block[j->n++];

    b->iface = iface;
    b->iface_name = p->names.v[iface];
    b->time_s = time_s;
    b->line = line;
    b->rows = n;
    b->sorter = s;
    j->rows += n;
    p->filling = 1;
    if (j->n == JOB_BLOCKS || j->rows >= JOB_ROWS)
        send_job(p);
    return failure(p, err);
}

gp_status godb_pipe_finish(godb_pipe *p, godb_pipe_stats *stats, gp_err *err)
{
    gp_err late = {0};

    if (p->filling)
        send_job(p);
    drain(p, 1);
    gp_status st = failure(p, err);
    gp_status commit = godb_writers_finish(&p->writers, &late);
    godb_pipe_stats_get(p, stats);
    if (st == GP_OK && commit != GP_OK) {
        if (err)
            *err = late;
        st = commit;
    }
    return st;
}

const godb_notes *godb_pipe_notes(const godb_pipe *p)
{
    return &p->writers.notes;
}

void godb_pipe_stats_get(godb_pipe *p, godb_pipe_stats *stats)
{
    pthread_mutex_lock(&p->mu);
    *stats = (godb_pipe_stats){.rows = p->rows_written, .blocks = p->blocks_written};
    if (!p->writing) {
        stats->ifaces = p->writers.n_seen;
        stats->rows -= p->writers.lost_rows;
        stats->blocks -= p->writers.lost_blocks;
    }
    pthread_mutex_unlock(&p->mu);
}
