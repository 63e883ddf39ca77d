/* import_pipe.h - blocks of rows in, database out: sorting and encoding on several threads, writing
 * in the order of submission. */
#ifndef GODB_STORE_IMPORT_PIPE_H
#define GODB_STORE_IMPORT_PIPE_H

#include "godb/import.h"
#include "gp/pool.h"

/* One thread feeds it; the rest is locked inside. */
typedef struct godb_pipe godb_pipe;

typedef struct godb_pipe_opts {
    const char *root;
    const char *name; /* of the input, for error texts */
    godb_writer_opts writer;
    unsigned threads; /* workers; 0 = all work is done by the feeding thread */
    gp_pool *pool;    /* runs the workers; NULL with threads 0; outlives the pipe */
} godb_pipe_opts;

typedef struct godb_pipe_stats {
    uint64_t rows;   /* in the blocks written, before equal keys became one */
    uint64_t blocks; /* written */
    uint64_t ifaces; /* with at least one block written */
} godb_pipe_stats;

gp_status godb_pipe_new(const godb_pipe_opts *o, godb_pipe **out, gp_err *err) GP_MUST_CHECK;
/* Waits for the work under way. What was not finished with godb_pipe_finish() stays uncommitted. */
void godb_pipe_free(godb_pipe *p);
static inline void godb_pipe_freep(godb_pipe **p)
{
    godb_pipe_free(*p);
}

/* Number of an interface (0, 1, ... in the order of first use), made known if needed.
 * GP_EINVAL: not a usable name. GP_ELIMIT: too many interfaces. */
gp_status godb_pipe_iface(godb_pipe *p, const char *name, size_t len, uint32_t *iface);

/* An empty sorter for the rows of a block, owned by the caller until it is submitted. */
gp_status godb_pipe_sorter(godb_pipe *p, godb_sorter **out, gp_err *err) GP_MUST_CHECK;

/* Hand over one complete block: s has n rows, the first one from that line of the input. Later
 * blocks of an interface must be later in time. Blocks become work in batches; may wait. Fails with
 * what went wrong in any block before; s is taken in any case. */
gp_status godb_pipe_submit(godb_pipe *p, uint32_t iface, int64_t time_s, uint64_t line,
                           godb_sorter *s, uint64_t n, gp_err *err) GP_MUST_CHECK;

/* Write what was submitted, commit, close. Also after a failure: blocks before it are kept. */
gp_status godb_pipe_finish(godb_pipe *p, godb_pipe_stats *stats, gp_err *err) GP_MUST_CHECK;

/* What the writers reported beside their work; after godb_pipe_finish(), borrowed until free. */
const struct godb_notes *godb_pipe_notes(const godb_pipe *p);

/* So far; any thread. */
void godb_pipe_stats_get(godb_pipe *p, godb_pipe_stats *stats);

#endif
