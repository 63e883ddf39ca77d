/* file.h - packets of a capture file: pcap, pcapng, either gzip-compressed, through libpcap. */
#ifndef CAPTURE_FILE_H
#define CAPTURE_FILE_H

#include "gp/err.h"

#include <stdint.h>

enum { CAPTURE_FILE_SNAPLEN_MAX = 16 * 1024 * 1024 }; /* spec 1.10 L-14 */

/* One thread. */
typedef struct capture_file capture_file;

/* A packet of a file; data is borrowed until the next read or close. */
typedef struct capture_frame {
    const uint8_t *data;
    uint32_t caplen, len; /* bytes captured, bytes on the wire */
    int64_t time_ns;      /* Unix time */
} capture_frame;

/* Open a capture file ("-" = standard input). Fails with GP_ENOTFOUND / GP_EIO, GP_ECORRUPT (no
 * capture file; snap length 0 or above 16 MiB), GP_EUNSUPPORTED (link type that capture_parse()
 * does not know; the text names it). */
gp_status capture_file_open(const char *path, capture_file **out, gp_err *err) GP_MUST_CHECK;

/* Next packet: 1, or 0 at the end. -1 with *err when the rest cannot be read (GP_ECORRUPT, cut
 * file, record longer than the snap length); packets before that were delivered. */
int capture_file_next(capture_file *f, capture_frame *out, gp_err *err) GP_MUST_CHECK;

int capture_file_dlt(const capture_file *f);
const char *capture_file_path(const capture_file *f);

void capture_file_close(capture_file *f); /* NULL is fine */
static inline void capture_file_closep(capture_file **f)
{
    capture_file_close(*f);
}

#endif
