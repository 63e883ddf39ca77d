/* transport.h - a byte stream between two ends, without blocking: nng's streams, or a pair in
 * memory for tests. */
#ifndef RPC_TRANSPORT_H
#define RPC_TRANSPORT_H

#include "gp/clock.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum { RPC_LINK_MAX_IOV = 8, RPC_ADDR_MAX = 256 };

typedef struct rpc_iov {
    void *base;
    size_t len;
} rpc_iov;

typedef struct rpc_link rpc_link;

/* One end of a stream. At most one send and one receive are under way; each ends with exactly one
 * callback, on an internal thread, with no lock held. A callback may start the next operation. The
 * link must stay until send() and recv() have returned, even if the callback came before. */
struct rpc_link {
    const struct rpc_link_ops *ops;
    /* st GP_OK: n >= 1 bytes went through, maybe fewer than asked. Set before the first operation.
     */
    void (*on_sent)(void *ctx, gp_status st, size_t n);
    void (*on_received)(void *ctx, gp_status st, size_t n);
    void *ctx;
    int64_t peer_uid, peer_gid; /* of a local (ipc) peer; else -1 */
    char peer[RPC_ADDR_MAX];    /* "tcp://10.0.0.1:5151", for log lines */
};

struct rpc_link_ops {
    /* The iovs are copied, the bytes stay with the caller until the callback. n <= 8. */
    void (*send)(rpc_link *l, const rpc_iov *iov, unsigned n);
    void (*recv)(rpc_link *l, void *buf, size_t cap);
    /* Break the stream: operations under way end with an error. Any thread, any number of times. */
    void (*close)(rpc_link *l);
    /* Only after close, with no operation under way, never from one of its callbacks. */
    void (*free)(rpc_link *l);
};

/* ---- nng (transport_nng.c) ---- */

/* Before any thread that may dial or listen exists: nng sets itself up at its first call, and two
 * first calls at once would race. Does nothing when it is set up. GP_ENOMEM, GP_EIO. */
gp_status rpc_nng_init(gp_err *err) GP_MUST_CHECK;

/* One dial of a numeric address: "tcp://1.2.3.4:5", "tcp://[::1]:5" or "ipc:///path". done is
 * called once after start, on an internal thread, maybe before start returns; l is NULL on failure
 * and err says why. */
typedef struct rpc_dialing rpc_dialing;
typedef void (*rpc_link_dialed)(void *ctx, rpc_link *l, const gp_err *err);
gp_status rpc_dialing_new(const char *addr, rpc_link_dialed done, void *ctx, rpc_dialing **out,
                          gp_err *err) GP_MUST_CHECK;
void rpc_dialing_start(rpc_dialing *d, gp_deadline deadline);
void rpc_dialing_cancel(rpc_dialing *d);
/* After done was called (it waits until that returned), never from inside done. NULL is fine. */
void rpc_dialing_free(rpc_dialing *d);

typedef struct rpc_acceptor rpc_acceptor;
/* accepted is called for each new stream, maybe for several at once. bound gets the real address.
 */
gp_status rpc_nng_listen(const char *addr, void (*accepted)(void *ctx, rpc_link *l), void *ctx,
                         char *bound, size_t bound_cap, rpc_acceptor **out,
                         gp_err *err) GP_MUST_CHECK;
/* Stop accepting and free; blocks until no callback runs. */
void rpc_acceptor_free(rpc_acceptor *a);

/* ---- in memory (transport_pair.c) ---- */

typedef struct rpc_pair_opts {
    size_t buffer;    /* bytes that may be under way in each direction; 0 = 256 KiB */
    size_t max_chunk; /* most bytes of one operation, for partial transfers; 0 = no limit */
    /* Sees every chunk on its way (dir 0: from a to b) and may change it; NULL = none. */
    void (*tap)(void *ctx, int dir, uint8_t *bytes, size_t n);
    void *tap_ctx;
} rpc_pair_opts;
/* Two connected ends with a thread of their own; both must be freed. */
gp_status rpc_pair_new(const rpc_pair_opts *o, rpc_link **a, rpc_link **b,
                       gp_err *err) GP_MUST_CHECK;

#endif
