/* golden.h - the literal outputs of query.md 2.9, 6.4, 6.5 and 6.6 (conformance cases M01 to M11).
 */
#ifndef GOLDEN_H
#define GOLDEN_H

/* clang-format off */
static const char golden_txt_both[] __attribute__((unused)) =
    "\n"
    "                                          packets  packets             bytes     bytes       \n"
    "              sip            dip  proto        in      out      %         in       out      %\n"
    "    198.51.100.23    203.0.113.9    TCP  410.23 k   1.39 M  99.93   45.89 MB   1.78 GB  99.95\n"
    "  2001:db8:77::15  2001:db8:1::2    TCP     918      108     0.06  881.95 kB  43.73 kB   0.05\n"
    "    198.51.100.40   203.0.113.53    UDP       8        0     0.00    1024         0      0.00\n"
    "                                              ...      ...               ...       ...       \n"
    "                                         411.30 k   1.39 M          46.83 MB   1.78 GB       \n"
    "                                                                                      \n"
    "          Totals:                                   1.80 M                     1.82 GB  \n"
    "\n"
    "Timespan    : [2031-03-04 08:00:00, 2031-03-05 09:30:00] (1d1h30m0s)\n"
    "Interface   : wan0\n"
    "Sorted by   : accumulated data volume (sent and received)\n"
    "Conditions  : (dport = 443 | dport = 53)\n"
    "Query stats : displayed top 3 hits out of 5 in 18ms\n"
    "\n";

static const char golden_txt_in[] __attribute__((unused)) =
    "\n"
    "                                          packets             bytes       \n"
    "              sip            dip  proto        in      %         in      %\n"
    "    198.51.100.23    203.0.113.9    TCP  410.23 k  99.74   45.89 MB  98.00\n"
    "  2001:db8:77::15  2001:db8:1::2    TCP     918     0.22  881.95 kB   1.84\n"
    "    198.51.100.40   203.0.113.53    UDP       8     0.00    1024      0.00\n"
    "                                              ...               ...       \n"
    "                                         411.30 k          46.83 MB       \n"
    "\n"
    "Timespan    : [2031-03-04 08:00:00, 2031-03-05 09:30:00] (1d1h30m0s)\n"
    "Interface   : wan0\n"
    "Sorted by   : accumulated data volume (received only)\n"
    "Conditions  : (dport = 443 | dport = 53)\n"
    "Query stats : displayed top 3 hits out of 5 in 18ms\n"
    "\n";

static const char golden_txt_sum_time[] __attribute__((unused)) =
    "\n"
    "                                                packets           bytes       \n"
    "                 time  iface  dport      proto   in+out      %   in+out      %\n"
    "  2031-03-05 09:00:00   lan1      0  IPv6-ICMP      5     4.76   340      3.43\n"
    "  2031-03-05 09:00:00   wan0    443        TCP     55    52.38  5.37 kB  55.56\n"
    "  2031-03-05 09:05:00   wan0    443        TCP     45    42.86  3.96 kB  41.01\n"
    "                                                                              \n"
    "                                                  105           9.67 kB       \n"
    "\n"
    "Timespan    : [2031-03-05 08:55:00, 2031-03-05 09:05:00] (10m0s)\n"
    "Interface   : 2 queried\n"
    "Sorted by   : first packet time\n"
    "Query stats : displayed top 3 hits out of 3 in 6ms\n"
    "\n";

static const char golden_txt_server[] __attribute__((unused)) =
    "Host edge-9 returned with error \"error\": 401 Unauthorized\n"
    "\n"
    "                                packets  packets           bytes     bytes       \n"
    "     host  iface  dport  proto       in      out      %       in       out      %\n"
    "   edge-8   wan0     22    TCP     64      100    91.11  4.88 kB  78.12 kB  97.57\n"
    "   edge-7   lan1      0   ICMP      6       10     8.89   200      1.88 kB   2.43\n"
    "                                                                                 \n"
    "                                   70      110           5.08 kB  80.00 kB       \n"
    "                                                                          \n"
    "  Totals:                                  180                    85.08 kB  \n"
    "\n"
    "Timespan           : [2031-03-04 08:00:00, 2031-03-05 09:30:00] (1d1h30m0s)\n"
    "Interfaces / Hosts : 2 queried on 3 hosts: 2 ok / 0 empty / 1 error\n"
    "Sorted by          : accumulated data volume (sent and received)\n"
    "Query stats        : displayed top 2 hits out of 2 in 1.204s\n"
    "\n";

static const char golden_txt_empty[] __attribute__((unused)) =
    "Status \"empty\": query returned no results\n"
    "\n"
    "Timespan    : [2031-03-04 08:00:00, 2031-03-05 09:30:00] (1d1h30m0s)\n"
    "Interface   : wan0\n"
    "Sorted by   : accumulated data volume (sent and received)\n"
    "Conditions  : dport = 1\n"
    "Query stats : displayed top 0 hits out of 0 in 4ms\n"
    "\n";

static const char golden_csv_both[] __attribute__((unused)) =
    "sip,dip,proto,packets received,packets sent,%,data vol. received,data vol. sent,%\n"
    "198.51.100.23,203.0.113.9,TCP,410233,1391870,99.93,48120331,1907455113,99.95\n"
    "2001:db8:77::15,2001:db8:1::2,TCP,918,108,0.06,903112,44776,0.05\n"
    "198.51.100.40,203.0.113.53,UDP,8,0,0.00,1024,0,0.00\n"
    "Received packets,411300\n"
    "Sent packets,1391990\n"
    "Received data volume (bytes),49100000\n"
    "Sent data volume (bytes),1907500000\n"
    "Sorting and flow direction,accumulated data volume (sent and received)\n"
    "Interface,wan0\n";

static const char golden_csv_time[] __attribute__((unused)) =
    "time,iface,dport,proto,packets received,packets sent,%,data vol. received,data vol. sent,%\n"
    "1930467600,lan1,0,IPv6-ICMP,5,0,4.76,340,0,3.43\n"
    "1930467600,wan0,443,TCP,31,24,52.38,4000,1500,55.56\n"
    "1930467900,wan0,443,TCP,25,20,42.86,3000,1060,41.01\n"
    "Received packets,61\n"
    "Sent packets,44\n"
    "Received data volume (bytes),7340\n"
    "Sent data volume (bytes),2560\n"
    "Sorting and flow direction,first packet time\n"
    "Interface,\"lan1,wan0\"\n";

static const char golden_json_both[] __attribute__((unused)) =
    "{\"hostname\":\"edge-7\",\"status\":{\"code\":\"ok\"},\"hosts_statuses\":{\"edge-7\":{\"code\":\""
    "ok\"}},\"summary\":{\"interfaces\":[\"wan0\"],\"time_first\":\"2031-03-04T08:00:00Z\",\"time"
    "_last\":\"2031-03-05T09:30:00Z\",\"totals\":{\"br\":49100000,\"bs\":1907500000,\"pr\":41130"
    "0,\"ps\":1391990},\"timings\":{\"query_start\":\"2031-03-05T09:41:12.000456Z\",\"query_du"
    "ration_ns\":18250000},\"hits\":{\"displayed\":3,\"total\":5},\"data_available\":true,\"sta"
    "ts\":{\"bytes_loaded\":30211,\"bytes_decompressed\":88064,\"blocks_processed\":306,\"blo"
    "cks_corrupted\":0,\"directories_processed\":2,\"workloads\":1}},\"query\":{\"attributes\""
    ":[\"sip\",\"dip\",\"proto\"],\"condition\":\"(dport = 443 | dport = 53)\"},\"rows\":[{\"label"
    "s\":{\"iface\":\"wan0\",\"host\":\"edge-7\",\"host_id\":\"5f0c1e7a9b3d4c2688aa10e4d7f20b61\"}"
    ",\"attributes\":{\"sip\":\"198.51.100.23\",\"dip\":\"203.0.113.9\",\"proto\":6},\"counters\":{"
    "\"br\":48120331,\"bs\":1907455113,\"pr\":410233,\"ps\":1391870}},{\"labels\":{\"iface\":\"wan"
    "0\",\"host\":\"edge-7\",\"host_id\":\"5f0c1e7a9b3d4c2688aa10e4d7f20b61\"},\"attributes\":{\""
    "sip\":\"2001:db8:77::15\",\"dip\":\"2001:db8:1::2\",\"proto\":6},\"counters\":{\"br\":903112,"
    "\"bs\":44776,\"pr\":918,\"ps\":108}},{\"labels\":{\"iface\":\"wan0\",\"host\":\"edge-7\",\"host_i"
    "d\":\"5f0c1e7a9b3d4c2688aa10e4d7f20b61\"},\"attributes\":{\"sip\":\"198.51.100.40\",\"dip\""
    ":\"203.0.113.53\",\"proto\":17},\"counters\":{\"br\":1024,\"pr\":8}}]}"
    "\n";

static const char golden_list[] __attribute__((unused)) =
    "\n"
    "    iface     packets      traffic     flows                   from                     to\n"
    "    -----     -------      -------     -----                   ----                     --\n"
    "     lan1    900.97 k    839.47 MB    4.11 k    2031-02-28 23:55:00    2031-03-05 09:30:00\n"
    "     wan0      1.80 M      1.82 GB    1.95 k    2031-03-04 08:00:00    2031-03-05 09:30:00\n"
    "                                                                                          \n"
    "    Total      2.70 M      2.64 GB    6.06 k                                              \n"
    "\n";

static const char golden_list_v[] __attribute__((unused)) =
    "\n"
    "              packets     packets        bytes        bytes          # of          # of                                                         \n"
    "    iface          in         out           in          out    IPv4 flows    IPv6 flows      drops                   from                     to\n"
    "    -----     -------     -------        -----        -----    ----------    ----------      -----                   ----                     --\n"
    "     lan1    900.10 k    870.00      839.35 MB    117.68 kB        4.10 k       12.00       0.00      2031-02-28 23:55:00    2031-03-05 09:30:00\n"
    "     wan0    411.30 k      1.39 M     46.83 MB      1.78 GB      650.00          1.30 k    17.00      2031-03-04 08:00:00    2031-03-05 09:30:00\n"
    "                                                                                                                                                \n"
    "    Total      1.31 M      1.39 M    886.18 MB      1.78 GB        4.75 k        1.31 k    17.00                                                \n"
    "\n";

/* clang-format on */

#endif
