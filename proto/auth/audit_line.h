/* audit_line.h - hashes and signatures of audit lines, shared by writer and reader. */
#ifndef AUTH_AUDIT_LINE_H
#define AUTH_AUDIT_LINE_H

#include "auth/audit.h"

#define AUTH_AUDIT_SIGN "audit" /* type of checkpoint signatures */

/* Hash of a line: BLAKE2b-256 over the hash of the line before and its own bytes up to ,"hash". */
void auth_audit_hash(const uint8_t prev[AUTH_HASH], const void *body, size_t len,
                     uint8_t out[AUTH_HASH]);
/* What a checkpoint signs: its number and the hash of the line before. */
enum { AUTH_AUDIT_SIGNED = 8 + AUTH_HASH };
void auth_audit_signed(uint64_t seq, const uint8_t prev[AUTH_HASH], uint8_t out[AUTH_AUDIT_SIGNED]);

#endif
