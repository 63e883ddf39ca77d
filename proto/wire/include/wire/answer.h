/* answer.h - the messages that answer a query: batches, progress, host statuses, signed trailers.
 */
#ifndef WIRE_ANSWER_H
#define WIRE_ANSWER_H

#include "auth/cert.h"
#include "auth/digest.h"
#include "auth/keys.h"
#include "auth/request.h"
#include "gp/bytes.h"
#include "gp/err.h"
#include "result/result.h"
#include "wire/limits.h"

/* What the text of a host begins with that has none of the interfaces that were asked for
 * (NOT_FOUND): unlike a host that is unknown or down, it did answer. */
#define WIRE_NO_INTERFACE "no interface matches"

typedef struct wire_progress {
    uint64_t blocks_done, blocks_total, rows, bytes;
    uint32_t hosts_done, hosts_total;
} wire_progress;

/* What a host, or an aggregator about the whole, says at the end. Strings are borrowed from
 * whatever filled the struct. */
typedef struct wire_summary {
    result_code code;
    const char *message;
    result_counters totals;
    uint64_t hits; /* rows before truncation */
    uint64_t rows; /* rows sent */
    result_stats stats;
    int64_t first_s, last_s;
    const char *const *ifaces;
    size_t n_ifaces;
    int data_available;
    int64_t duration_ns;
    const char *condition;
} wire_summary;
/* Borrow from r, which must outlive *out. */
void wire_summary_of(const result *r, wire_summary *out);
/* Copy into r's summary fields (r initialised; fields and rows are left alone). */
gp_status wire_summary_apply(const wire_summary *s, result *r, gp_err *err) GP_MUST_CHECK;

typedef struct wire_trailer {
    uint8_t query_id[AUTH_QUERY_ID];
    const char *host, *host_id;
    uint8_t
        digest[AUTH_HASH]; /* of the batches: see auth_digest; each preceded by its u32 length */
    wire_summary sum;
} wire_trailer;

typedef enum wire_kind {
    WIRE_NONE,
    WIRE_HEADER,
    WIRE_BATCH,
    WIRE_PROGRESS,
    WIRE_HOST,
    WIRE_TRAILER,
    WIRE_PARTIAL,
    WIRE_SUMMARY,
    WIRE_EVIDENCE, /* u.batch; the trailer that covers it follows */
} wire_kind;

/* One decoded message. Zero-initialise; wire_answer_clear() after use. Pointers are valid until
 * then, batch.data until the input goes away. */
typedef struct wire_answer {
    wire_kind kind; /* WIRE_NONE: of a newer version; skip it */
    void *owner;    /* unpacked message; private */
    void *owner2;   /* unpacked trailer body; private */
    const char **ifaces;
    union {
        struct {
            uint32_t protocol, n_hosts;
            const char *software;
        } header;
        struct {
            const uint8_t *data;
            size_t len;
        } batch;
        wire_progress progress;
        struct {
            const char *host, *message;
            result_code code;
            char *const *path;
            size_t n_path;
        } host;
        struct {
            wire_trailer t;
            const uint8_t *body; /* exact signed bytes */
            size_t body_len;
            const uint8_t *signature, *signer; /* NULL when unsigned */
            const uint8_t *cert;               /* packed chain of the signer */
            size_t cert_len;                   /* 0 = none */
            char *const *path;
            size_t n_path;
        } trailer;
        wire_summary summary;
        struct {
            wire_summary summary;
            uint32_t hosts_done, hosts_total;
            size_t n_batches;
            const uint8_t *batch[4]; /* at most one per family and one without */
            size_t batch_len[4];
        } partial;
    } u;
} wire_answer;
gp_status wire_answer_decode(const void *bytes, size_t len, wire_answer *out,
                             gp_err *err) GP_MUST_CHECK;
void wire_answer_clear(wire_answer *a);

/* Encoders append one message to out (clear it first). They fail only for lack of memory, which
 * out->failed shows. */
void wire_put_header(gp_buf *out, const char *software, uint32_t n_hosts);
void wire_put_batch(gp_buf *out, const void *batch, size_t len);
/* The same as evidence, by an aggregator. */
void wire_put_evidence(gp_buf *out, const void *batch, size_t len);
void wire_put_progress(gp_buf *out, const wire_progress *p);
void wire_put_host(gp_buf *out, const char *host, result_code code, const char *message,
                   const char *const *path, size_t n_path);
void wire_put_summary(gp_buf *out, const wire_summary *s);
void wire_put_partial(gp_buf *out, const wire_summary *s, uint32_t hosts_done, uint32_t hosts_total,
                      const uint8_t *const *batches, const size_t *lens, size_t n);
/* A Partial message with the rows of r, at most WIRE_MAX_PARTIAL_ROWS. */
gp_status wire_put_snapshot(gp_buf *out, const result *r, uint32_t hosts_done, uint32_t hosts_total,
                            gp_err *err) GP_MUST_CHECK;
/* The bytes that get signed; then the message around them. signature and signer: NULL = unsigned;
 * cert: packed chain of the signer, cert_len 0 = none.
 * path: names of aggregators to put in front. */
void wire_trailer_encode(gp_buf *body, const wire_trailer *t);
void wire_put_trailer(gp_buf *out, const void *body, size_t len, const uint8_t *signature,
                      const uint8_t *signer, const void *cert, size_t cert_len,
                      const char *const *path, size_t n_path);

/* Feed one batch into the digest of a trailer. */
void wire_digest_batch(auth_digest *d, const void *batch, size_t len);

#endif
