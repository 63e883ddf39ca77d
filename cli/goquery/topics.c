/* topics.c - help on columns, conditions and times, and the worked examples (query.md 2.4). */
#include "topics.h"

#include "options.h"
#include "query/timearg.h"

#include <string.h>
#include <time.h>

static const char columns_text[] =
    "\n"
    "Columns and query types:\n"
    "  QUERY_TYPE is a list of columns separated by commas. There is no default.\n"
    "\n"
    "  sip (src)                    source address\n"
    "  dip (dst)                    destination address\n"
    "  dport (port)                 destination port\n"
    "  proto (protocol, ipproto)    IP protocol\n"
    "\n"
    "  Labels, shown in front of them:\n"
    "  time                         end of the five-minute block\n"
    "  host (hostname), hostid      where the flows were recorded\n"
    "  iface                        interface; on by itself when several are selected\n"
    "\n"
    "  Short forms:\n"
    "  talk_src = sip               talk_dst = dip             talk_conv = sip,dip\n"
    "  apps_port = dport,proto      agg_talk_port = sip,dip,dport,proto\n"
    "  raw = time,host,hostid,iface,sip,dip,dport,proto\n";

static const char conditions_text[] =
    "\n"
    "Conditions:\n"
    "  A condition compares attributes with values: sip = 10.0.0.1 & (dport = 80 | dport = 443)\n"
    "\n"
    "  sip (src), dip (dst), host   address or host name; = and !=. host is either end: it means\n"
    "                               (sip = ... | dip = ...)\n"
    "  snet, dnet, net              network as ADDRESS/LENGTH; = and !=. net is either end\n"
    "  dport (port)                 0 to 65535; = != < > <= >=\n"
    "  proto (protocol, ipproto)    number or name (tcp, udp, ipv6-icmp, ...); = != < > <= >=\n"
    "  dir (direction)              in, out, uni or bi (or inbound, outbound, unidirectional,\n"
    "                               bidirectional); = only. Acts on rows after adding up. Alone, "
    "or\n"
    "                               first or last operand of the outermost and:\n"
    "                               dir = in & (dport = 53 | dport = 123)\n"
    "\n"
    "  =    == === eq equals        !=   ne neq\n"
    "  <    lt l less               <=   le leq\n"
    "  >    gt g greater            >=   ge geq\n"
    "  &    && and *                |    || or +\n"
    "  !    not                     (    also [ and {\n"
    "\n"
    "  ! binds closest, then &, then |. Upper and lower case are the same.\n"
    "  A condition on addresses of one IP version only looks at flows of that version.\n";

/* strftime() with literal formats only, so that the compiler can check them. */
#define SAMPLE(format) ((void)strftime(text[n++], sizeof text[0], format, &tm))

static void times(int64_t now_s, FILE *out)
{
    char text[12][64];
    size_t n = 0;
    time_t t = (time_t)now_s;
    struct tm tm;
    if (!localtime_r(&t, &tm))
        return;
    SAMPLE("%Y-%m-%dT%H:%M:%SZ");
    SAMPLE("%a %b %e %H:%M:%S %Y");
    SAMPLE("%a %b %d %H:%M:%S %z %Y");
    SAMPLE("%d-%m-%Y %H:%M:%S %z");
    SAMPLE("%a, %d %b %Y %H:%M:%S %z");
    SAMPLE("%Y-%m-%d %H:%M:%S");
    SAMPLE("%Y-%m-%d %H:%M %z");
    SAMPLE("%d-%m-%Y %H:%M");
    SAMPLE("%d.%m.%Y %H:%M");
    SAMPLE("%e.%m.%Y %H:%M:%S");
    SAMPLE("%d.%m.%Y %H:%M %z");
    snprintf(text[n++], sizeof text[0], "%lld", (long long)now_s);
    query_time_format_rfc3339(now_s, 0, text[0], sizeof text[0]);
    fputs("\n"
          "Times (-f, -l):\n"
          "  Relative: -15d, -4h30m, -90s, -15d:04h:05m. Absolute, here for the present time:\n\n",
          out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %-36s%s", text[i] + strspn(text[i], " "), i % 2 ? "\n" : "");
    fputs(
        "\n"
        "  Without an offset such as +0200 a time is local time (TZ). The time of day is needed;\n"
        "  seconds may be left out after a date in digits. Years may have two digits.\n",
        out);
}

void goquery_topics(int64_t now_s, FILE *out)
{
    fputs(columns_text, out);
    fputs(conditions_text, out);
    times(now_s, out);
}

int goquery_examples(void *opts, const cli_line *line)
{
    const char *p = line->program;
    (void)opts;
    printf("Top 5 IP pairs by volume on eth0 during the last month:\n\n"
           "    %s -d /var/lib/goprobe/db -i eth0 -n 5 talk_conv\n\n"
           "The same with the columns written out:\n\n"
           "    %s -d /var/lib/goprobe/db -i eth0 -n 5 sip,dip\n\n",
           p, p);
    printf("Top 10 applications by packets, from four to two days ago:\n\n"
           "    %s -d /var/lib/goprobe/db -i eth0 -n 10 -s packets -f -4d -l -2d apps_port\n\n",
           p);
    printf("Traffic between two networks over the last day on two interfaces:\n\n"
           "    %s -d /var/lib/goprobe/db -i eth0,eth1 -f -1d \\\n"
           "        -c \"(snet = 10.0.0.0/8 and dnet = 192.168.0.0/16) or\n"
           "            (snet = 192.168.0.0/16 and dnet = 10.0.0.0/8)\" talk_conv\n\n",
           p);
    printf(
        "Top 10 source and destination pairs of one network over all time:\n\n"
        "    %s -d /var/lib/goprobe/db -i any -f 0 -n 10 -c \"net = 10.11.12.0/24\" talk_conv\n\n",
        p);
    return 0;
}
