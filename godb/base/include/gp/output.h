/* output.h - files that a user names: what is there already stays what it is. */
#ifndef GP_OUTPUT_H
#define GP_OUTPUT_H

#include "gp/err.h"

#include <stddef.h>
#include <sys/types.h>

/* A file being written. One thread. Start with GP_OUTPUT_INIT. */
typedef struct gp_output {
    int fd;      /* write here; -1: nothing open */
    char *final; /* owned; its name at the end, links followed; NULL: written in place */
    char *temp;  /* owned; its name until then */
} gp_output;
#define GP_OUTPUT_INIT ((gp_output){.fd = -1})

/* Open path for writing. A regular file appears, or is replaced, only when it is complete; one that
 * exists keeps its mode and, where we may, its owner and group (if not, the group loses its bits).
 * Symbolic links are followed, also to what does not exist yet. Devices, FIFOs and /dev/stdout are
 * written to as they are.
 *
 * mode: exact permission bits of a new file, or 0 for 0666 less the umask.
 * *out: untouched on failure; to be ended with gp_output_close(). GP_EIO, GP_ENOMEM. */
gp_status gp_output_open(const char *path, mode_t mode, gp_output *out, gp_err *err) GP_MUST_CHECK;

/* End it. st: what became of the writing; unless it is GP_OK nothing appears and st is returned. On
 * GP_OK the file is on the disk. *out is GP_OUTPUT_INIT after that; closing that again is fine. */
gp_status gp_output_close(gp_output *out, gp_status st, gp_err *err) GP_MUST_CHECK;

/* All of it at once. */
gp_status gp_output_write(const char *path, mode_t mode, const void *bytes, size_t n,
                          gp_err *err) GP_MUST_CHECK;

#endif
