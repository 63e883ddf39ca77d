/* audit.h - who asked what and who changed what: JSON lines chained by hashes, with signed
 * checkpoints (docs/security.md, "Audit log"). */
#ifndef AUTH_AUDIT_H
#define AUTH_AUDIT_H

#include "auth/keys.h"
#include "gp/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    AUTH_AUDIT_LINE_MAX = 64 * 1024, /* bytes of a line, its newline included */
    AUTH_AUDIT_TEXT_MAX = 8 * 1024   /* bytes of one text; what is longer is cut */
};

/* An open log; one process at a time has it. Locked inside. NULL is a log that takes nothing. */
typedef struct auth_audit auth_audit;

typedef struct auth_audit_opts {
    const char *path;              /* "x.log"; the last checkpoint also goes to "x.log.head" */
    const auth_identity *identity; /* signs checkpoints; must outlive the log */
    const char *program;           /* "goprobe/0.1.0" */
    uint64_t max_bytes;            /* a file that would exceed it becomes PATH.1; 0 = never */
    unsigned keep;                 /* PATH.1 .. PATH.keep stay; older ones are removed; 0 = 1 */
    int64_t checkpoint_ms;         /* most time that lines stay unsigned; 0 = 60 s */
    int64_t sync_ms;               /* most time until lines are on disk for sure; 0 = 1 s */
    /* Told once per failure to write, on any thread, without a lock held. May be NULL. */
    void (*on_error)(void *ctx, const gp_err *err);
    void *ctx;
} auth_audit_opts;

/* Open or make the file (mode 0600) and continue its chain. A last line that is not complete (the
 * machine lost power) is cut off and said in the next line. GP_ECORRUPT when the file does not end
 * with a line of an audit log, GP_EEXIST when another process has it open. */
gp_status auth_audit_open(const auth_audit_opts *o, auth_audit **out, gp_err *err) GP_MUST_CHECK;
/* Write a last checkpoint and close. NULL is fine. */
void auth_audit_close(auth_audit *a);
/* After somebody renamed the file: go on in a new one, in the same chain. NULL is fine. */
gp_status auth_audit_reopen(auth_audit *a, gp_err *err) GP_MUST_CHECK;

typedef struct auth_audit_field {
    const char *key;  /* lower case and '_'; NULL ends the list */
    const char *text; /* NULL: the number counts */
    int64_t number;
} auth_audit_field;
static inline auth_audit_field auth_audit_text(const char *key, const char *text)
{
    return (auth_audit_field){.key = key, .text = text ? text : ""};
}
static inline auth_audit_field auth_audit_number(const char *key, int64_t number)
{
    return (auth_audit_field){.key = key, .number = number};
}

/* Append a line. When it cannot be written the next one that can says how many are missing. */
void auth_audit_add(auth_audit *a, const char *event, const auth_audit_field *fields);
/* The same for what costs the peer nothing: at most 100 lines a second, the rest is counted as
 * missing. */
void auth_audit_refused(auth_audit *a, const char *event, const auth_audit_field *fields);

/* ---- reading ---- */

/* A parsed line; what stands between event and hash is not looked at. */
typedef struct auth_audit_line {
    uint64_t seq;
    char time[32], event[32];
    int has_prev; /* "open" and "checkpoint" name the hash of the line before */
    uint8_t prev[AUTH_HASH];
    int has_sig; /* "checkpoint" */
    uint8_t key[AUTH_SIGN_PK], sig[AUTH_SIG];
    uint8_t hash[AUTH_HASH];
    size_t body_len; /* bytes that are hashed */
} auth_audit_line;

/* Untrusted bytes of one line without its newline. */
gp_status auth_audit_line_parse(const char *line, size_t len, auth_audit_line *out,
                                gp_err *err) GP_MUST_CHECK;

/* The chain so far. Zero-initialise; set want_key to demand that key. */
typedef struct auth_audit_check {
    const uint8_t *want_key; /* NULL: the key of the first checkpoint, for all that follow */
    uint64_t first_seq, last_seq;
    uint64_t lines, checkpoints;
    uint64_t not_signed; /* lines after the last checkpoint */
    uint8_t key[AUTH_SIGN_PK];
    uint8_t hash[AUTH_HASH]; /* of the last line */
    char first_time[32], last_time[32];
} auth_audit_check;

/* Does this line continue the chain? GP_ECORRUPT, GP_EDENIED (signature) with the reason. */
gp_status auth_audit_check_line(auth_audit_check *c, const char *line, size_t len,
                                gp_err *err) GP_MUST_CHECK;
/* A checkpoint that stands alone (PATH.head): its hash and its signature by key. */
gp_status auth_audit_check_head(const char *line, size_t len, const uint8_t key[AUTH_SIGN_PK],
                                auth_audit_line *out, gp_err *err) GP_MUST_CHECK;

#endif
