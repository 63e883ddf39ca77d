/* blocks.h - reusable buffers: connections hold big ones only while bytes flow. Locked inside. */
#ifndef RPC_BLOCKS_H
#define RPC_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum {
    RPC_RECORD_MAX = 2 + 65535, /* bytes of a record with its length */
    RPC_READ_BULK = 256 * 1024, /* read buffer of a busy connection */
};

/* Sealed records on their way out. */
typedef struct rpc_block {
    struct rpc_block *next;
    uint32_t off, len; /* sent so far, sealed so far */
    uint8_t data[RPC_RECORD_MAX];
} rpc_block;

typedef struct rpc_blocks rpc_blocks;
rpc_blocks *rpc_blocks_new(void); /* NULL if out of memory */
void rpc_blocks_free(rpc_blocks *b);

rpc_block *rpc_block_get(rpc_blocks *b); /* NULL if out of memory; off and len are 0 */
void rpc_block_put(rpc_blocks *b, rpc_block *blk);
uint8_t *rpc_bulk_get(rpc_blocks *b); /* RPC_READ_BULK bytes or NULL */
void rpc_bulk_put(rpc_blocks *b, uint8_t *bulk);

#endif
