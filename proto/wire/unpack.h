/* unpack.h - protobuf-c with a memory limit; private to the room. */
#ifndef WIRE_UNPACK_H
#define WIRE_UNPACK_H

#include "gp/bytes.h"
#include "gp/err.h"
#include "wire/limits.h"

#include "schema/fleet.pb-c.h"

/* Unpack with at most WIRE_UNPACK_BYTES of memory. NULL when malformed or above. */
void *wire_unpack(const ProtobufCMessageDescriptor *d, const void *bytes, size_t len);
void wire_unpacked_free(void *msg);

/* Append the serialised message. */
void wire_pack(const ProtobufCMessage *m, gp_buf *out);

/* A string field of C: protobuf-c takes char *, and only reads it. */
char *wire_unconst(const char *s);

/* 1 if the text has at most max bytes and no control characters (it gets printed); NULL is fine. */
int wire_text_ok(const char *s, size_t max);
/* The same but tabs and newlines are fine. */
int wire_text_lines_ok(const char *s, size_t max);

#endif
