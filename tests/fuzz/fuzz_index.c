/* fuzz_index.c - the index file of a day with four idle blocks; head and checksums are made right.
 */
#include "blockmeta.h"
#include "gp/bytes.h"
#include "indexfile.h"
#include "xorfilter.h"

#include <stdlib.h>

enum { DAY = 1699920000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    godb_blockmeta m;
    godb_index_file f = {0};
    uint64_t sums[4] = {0};

    godb_blockmeta_init(&m, DAY);
    for (int i = 0; i < 4; i++) {
        godb_block b = {.time_s = DAY + 300 * (i + 1)};
        for (int c = 4; c < GODB_N_COLS; c++)
            b.raw[c] = b.stored[c] = b.codec[c] = 1;
        if (godb_blockmeta_push(&m, &b, sums, NULL) != GP_OK)
            abort();
    }
    gp_buf_add(&f.bytes, data, size);
    /* the checksum would stop nearly everything: make it right */
    if (size > GODB_INDEX_HEAD + GODB_INDEX_REC && gp_le32(data + GODB_INDEX_HEAD) >= 8 &&
        gp_le32(data + GODB_INDEX_HEAD) <= size - GODB_INDEX_HEAD) {
        uint8_t *r = f.bytes.data + GODB_INDEX_HEAD;
        uint32_t first = gp_le32(r + 8), n = gp_le16(r + 12);
        if (first < m.n && n <= m.n - first)
            gp_put_le64(r + 16, godb_index_tie(&m, first, n));
        gp_put_le32(r + 4, godb_index_sum(r + 8, gp_le32(r) - 8));
    }
    if (godb_index_file_parse(&m, &f, NULL) == GP_OK)
        for (size_t i = 0; i < f.n; i++)
            if (f.rec[i].k)
                (void)godb_xor_has(f.rec[i].bits, f.rec[i].third, f.rec[i].k, f.rec[i].seed, i);
    godb_index_file_free(&f);
    godb_blockmeta_free(&m);
    return 0;
}
