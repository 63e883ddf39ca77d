/* columns.c - names of the eight column files. */
#include "godb/columns.h"

#include "gp/err.h"

const char *godb_col_file(godb_col c)
{
    static const char *const names[GODB_N_COLS] = {
        "sip.gpf",        "dip.gpf",        "proto.gpf",     "dport.gpf",
        "bytes_rcvd.gpf", "bytes_sent.gpf", "pkts_rcvd.gpf", "pkts_sent.gpf"};
    return (unsigned)c < GP_COUNT(names) ? names[c] : "?";
}
