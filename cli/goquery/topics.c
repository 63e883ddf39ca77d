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
    "                               bidirectional); = only. Acts on rows after adding up. Alone,\n"
    "                               or the first operand of the outermost and, or the second of\n"
    "                               exactly two:\n"
    "                               dir = in & (dport = 53 | dport = 123)\n"
    "                               (dport = 53 & proto = 17) & dir = in\n"
    "\n"
    "  =    == === eq -eq equals    !=   ne -ne neq -neq\n"
    "  <    lt -lt l -l less        <=   le -le leq -leq\n"
    "  >    gt -gt g -g greater     >=   ge -ge geq -geq\n"
    "  &    && and *                |    || or +\n"
    "  !    not                     (    [ {            )    ] }\n"
    "\n"
    "  ! binds closest, then &, then |. Upper and lower case are the same.\n"
    "  A condition on addresses of one IP version only looks at flows of that version.\n";

/* A time in a layout: Y year, y its last two digits, M month, D day, m and d without a zero in
 * front, e day with a blank in front, B name of the month, W of the day, h:i:s, z offset. Not
 * strftime(): names must be English whatever the locale. */
static void put_layout(const char *layout, const struct tm *tm, char *buf, size_t cap)
{
    static const char names[] = "SunMonTueWedThuFriSatJanFebMarAprMayJunJulAugSepOctNovDec";
    long off = tm->tm_gmtoff / 60, away = off < 0 ? -off : off;
    for (size_t n = 0; *layout && n + 8 < cap; n = strlen(buf)) {
        char *at = buf + n;
        size_t left = cap - n;
        switch (*layout++) {
        case 'Y':
            snprintf(at, left, "%04d", tm->tm_year + 1900);
            break;
        case 'y':
            snprintf(at, left, "%02d", tm->tm_year % 100);
            break;
        case 'M':
            snprintf(at, left, "%02d", tm->tm_mon + 1);
            break;
        case 'm':
            snprintf(at, left, "%d", tm->tm_mon + 1);
            break;
        case 'D':
            snprintf(at, left, "%02d", tm->tm_mday);
            break;
        case 'd':
            snprintf(at, left, "%d", tm->tm_mday);
            break;
        case 'e':
            snprintf(at, left, "%2d", tm->tm_mday);
            break;
        case 'B':
            snprintf(at, left, "%.3s", names + 3 * (7 + tm->tm_mon));
            break;
        case 'W':
            snprintf(at, left, "%.3s", names + 3 * tm->tm_wday);
            break;
        case 'h':
            snprintf(at, left, "%02d", tm->tm_hour);
            break;
        case 'i':
            snprintf(at, left, "%02d", tm->tm_min);
            break;
        case 's':
            snprintf(at, left, "%02d", tm->tm_sec);
            break;
        case 'z':
            snprintf(at, left, "%c%02ld%02ld", off < 0 ? '-' : '+', away / 60, away % 60);
            break;
        default:
            snprintf(at, left, "%c", layout[-1]);
            break;
        }
    }
}

/* One sample of each kind of layout (query.md 4.1) for the present time. */
static void times(int64_t now_s, FILE *out)
{
    static const char *const layouts[] = {
        "W B e h:i:s Y", "W B D h:i:s z Y", "D B y h:i z", "W, D B Y h:i:s z",
        "Y-M-D h:i:s",   "Y-M-D h:i z",     "y-M-D h:i",   "D-M-Y h:i:s z",
        "D.M.Y h:i",     "D.M.y h:i z",     "d.m.Y h:i:s", "d.m.y h:i",
    };
    char text[GP_COUNT(layouts) + 2][40];
    size_t n = 0;
    time_t t = (time_t)now_s;
    struct tm tm;
    if (!localtime_r(&t, &tm))
        return;
    query_time_format_rfc3339(now_s, 0, text[n++], sizeof text[0]);
    for (size_t i = 0; i < GP_COUNT(layouts); i++)
        put_layout(layouts[i], &tm, text[n++], sizeof text[0]);
    snprintf(text[n++], sizeof text[0], "%lld", (long long)now_s);
    fputs("\n"
          "Times (-f, -l):\n"
          "  Relative: -15d, -4h30m, -90s, -15d:04h:05m. Absolute, here for the present time:\n\n",
          out);
    for (size_t i = 0; i < n; i++) {
        int last = i % 2 || i + 1 == n;
        fprintf(out, "  %-*s%s", last ? 0 : 36, text[i], last ? "\n" : "");
    }
    fputs("\n"
          "  Without an offset such as +0200 a time is local time (TZ). The time of day is needed; "
          "its\n"
          "  hour may have one digit, and so may day and month with dots. A date in digits goes "
          "with\n"
          "  seconds or without, with an offset or without; 05-06-07 is 7 June 2005.\n",
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
           "    %s -d /var/lib/fleetprobe/db -i eth0 -n 5 talk_conv\n\n"
           "The same with the columns written out:\n\n"
           "    %s -d /var/lib/fleetprobe/db -i eth0 -n 5 sip,dip\n\n",
           p, p);
    printf("Top 10 applications by packets, from four to two days ago:\n\n"
           "    %s -d /var/lib/fleetprobe/db -i eth0 -n 10 -s packets -f -4d -l -2d apps_port\n\n",
           p);
    printf("Traffic between two networks over the last day on two interfaces:\n\n"
           "    %s -d /var/lib/fleetprobe/db -i eth0,eth1 -f -1d \\\n"
           "        -c \"(snet = 10.0.0.0/8 and dnet = 192.168.0.0/16) or\n"
           "            (snet = 192.168.0.0/16 and dnet = 10.0.0.0/8)\" talk_conv\n\n",
           p);
    printf("Top 10 source and destination pairs of one network over all time:\n\n"
           "    %s -d /var/lib/fleetprobe/db -i any -f 0 -n 10 -c \"net = 10.11.12.0/24\" "
           "talk_conv\n\n",
           p);
    return 0;
}
