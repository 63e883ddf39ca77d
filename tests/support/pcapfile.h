/* pcapfile.h - writing small capture files in tests: classic pcap of any byte order and precision.
 */
#ifndef TEST_PCAPFILE_H
#define TEST_PCAPFILE_H

#include "test.h"

#include <zlib.h>

typedef struct pcapfile {
    gp_buf b;
    int big; /* byte order */
} pcapfile;

static inline void pcapfile_u32(pcapfile *f, uint32_t v)
{
    uint8_t p[4];
    if (f->big)
        gp_put_be32(p, v);
    else
        gp_put_le32(p, v);
    gp_buf_add(&f->b, p, 4);
}

static inline void pcapfile_u16(pcapfile *f, uint16_t v)
{
    uint8_t p[2];
    if (f->big)
        gp_put_be16(p, v);
    else
        gp_put_le16(p, v);
    gp_buf_add(&f->b, p, 2);
}

/* File header. ns: nanosecond magic. link: LINKTYPE number. */
static inline void pcapfile_head(pcapfile *f, int big, int ns, uint32_t snaplen, uint32_t link)
{
    *f = (pcapfile){.big = big};
    pcapfile_u32(f, ns ? 0xa1b23c4d : 0xa1b2c3d4);
    pcapfile_u16(f, 2);
    pcapfile_u16(f, 4);
    pcapfile_u32(f, 0);
    pcapfile_u32(f, 0);
    pcapfile_u32(f, snaplen);
    pcapfile_u32(f, link);
}

static inline void pcapfile_record(pcapfile *f, uint32_t sec, uint32_t frac, const void *data,
                                   uint32_t caplen, uint32_t len)
{
    pcapfile_u32(f, sec);
    pcapfile_u32(f, frac);
    pcapfile_u32(f, caplen);
    pcapfile_u32(f, len);
    gp_buf_add(&f->b, data, caplen);
}

/* Write the file, gzip-compressed if gz, and free the buffer. */
static inline void pcapfile_save(pcapfile *f, const char *path, int gz)
{
    if (gz) {
        gzFile z = gzopen(path, "wb");
        assert_non_null(z);
        assert_int_equal(gzwrite(z, f->b.data, (unsigned)f->b.len), (int)f->b.len);
        assert_int_equal(gzclose(z), Z_OK);
    } else {
        test_spew(path, f->b.data, f->b.len);
    }
    gp_buf_free(&f->b);
}

#endif
