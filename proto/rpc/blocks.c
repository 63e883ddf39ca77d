/* blocks.c - two free lists with a cap: record blocks and bulk read buffers. */
#include "blocks.h"

#include "gp/mem.h"

#include <pthread.h>
#include <string.h>

enum { KEEP_BLOCKS = 64, KEEP_BULKS = 8 }; /* 4 MiB and 2 MiB at most */

struct rpc_blocks {
    pthread_mutex_t lock; /* protects the lists */
    rpc_block *blocks;
    unsigned n_blocks, n_bulks;
    uint8_t *bulks[KEEP_BULKS];
};

rpc_blocks *rpc_blocks_new(void)
{
    rpc_blocks *b = gp_calloc(1, sizeof *b);
    if (b)
        pthread_mutex_init(&b->lock, NULL);
    return b;
}

void rpc_blocks_free(rpc_blocks *b)
{
    if (!b)
        return;
    while (b->blocks) {
        rpc_block *next = b->blocks->next;
        gp_free(b->blocks);
        b->blocks = next;
    }
    while (b->n_bulks)
        gp_free(b->bulks[--b->n_bulks]);
    pthread_mutex_destroy(&b->lock);
    gp_free(b);
}

rpc_block *rpc_block_get(rpc_blocks *b)
{
    pthread_mutex_lock(&b->lock);
    rpc_block *blk = b->blocks;
    if (blk) {
        b->blocks = blk->next;
        b->n_blocks--;
    }
    pthread_mutex_unlock(&b->lock);
    if (!blk)
        blk = gp_alloc(1, sizeof *blk);
    if (blk) {
        blk->next = NULL;
        blk->off = blk->len = 0;
    }
    return blk;
}

void rpc_block_put(rpc_blocks *b, rpc_block *blk)
{
    pthread_mutex_lock(&b->lock);
    int keep = b->n_blocks < KEEP_BLOCKS;
    if (keep) {
        blk->next = b->blocks;
        b->blocks = blk;
        b->n_blocks++;
    }
    pthread_mutex_unlock(&b->lock);
    if (!keep)
        gp_free(blk);
}

uint8_t *rpc_bulk_get(rpc_blocks *b)
{
    pthread_mutex_lock(&b->lock);
    uint8_t *bulk = b->n_bulks ? b->bulks[--b->n_bulks] : NULL;
    pthread_mutex_unlock(&b->lock);
    return bulk ? bulk : gp_alloc(RPC_READ_BULK, 1);
}

void rpc_bulk_put(rpc_blocks *b, uint8_t *bulk)
{
    pthread_mutex_lock(&b->lock);
    int keep = b->n_bulks < KEEP_BULKS;
    if (keep)
        b->bulks[b->n_bulks++] = bulk;
    pthread_mutex_unlock(&b->lock);
    if (!keep)
        gp_free(bulk);
}
