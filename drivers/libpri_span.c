/*
 * One D channel of libpri for drivers/libpri.py: frames in, frames and flat events out, the time as an argument.
 * Not a protocol of its own, and no I/O: what is to be sent is kept until it is asked for.
 *
 * Traps of libpri that are dealt with here and nowhere else:
 *  - It reads gettimeofday() by itself. The linker wraps it (--wrap=gettimeofday): it gets the moment that the caller gave.
 *  - It frees a call without always saying so, and the pointer may be given to the next call. The linker wraps free()
 *    (--wrap=free): the moment that libpri frees a call its number here is dead and told as gone.
 *  - It has one event buffer. Every event is copied before libpri is called again.
 *  - Hanging up a call that came in and that nothing was said to yet sends nothing at all, for most causes, and leaves the
 *    call for ever. CALL PROCEEDING is said first.
 *  - It reads past the end of malformed elements, and of its buffer if all is 0 there. What follows a frame is all ones.
 *  - It cannot send STATUS ENQUIRY, the one question whether the far end still knows a call. We ask it for a NOTIFY (which
 *    the box has no other use for) and make a STATUS ENQUIRY of it where the frame goes out, also when it is repeated.
 *
 * Global, because libpri gives no context there: the moment (`moment_us`), the list of open spans, and libpri's own two
 * message callbacks. All is called from one thread.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <libpri.h>

#define FCS_OCTETS 2          /* libpri counts them in reads and writes; the driver below makes and checks them */
#define LONGEST_FRAME 512     /* Q.921 N201 is 260 and the header; libpri reads into 1024 octets */
#define NOTIFY 0x6e
#define STATUS_ENQUIRY 0x75
#define Q931_PROTOCOL 0x08
#define SHORTEST_FRAME 3      /* address and control of an unnumbered frame */

struct known_call {
    q931_call *pointer;       /* NULL once libpri has freed it */
    unsigned number;
    enum { ANSWERED, FRESH, FRESH_ANYWHERE } fresh; /* came in, and nothing was said to it yet; has no channel yet */
};

struct span {
    struct span *next;
    struct pri *pri;
    const uint8_t *frame;     /* being read by libpri */
    int frame_octets;
    uint8_t *out;             /* frames to send: two octets of length, then the frame without FCS */
    int out_octets, out_room;
    struct known_call *calls;
    int call_count, call_room;
    unsigned last_number;
    unsigned *gone;           /* numbers of calls that libpri has freed */
    int gone_count, gone_room;
    int out_of_memory;
    unsigned complaints;
    char complaint[256];      /* the newest thing that libpri complained about */
};

static int64_t moment_us;
static struct span *open_spans;

/* ---- what the linker puts between libpri and the C library --------------------------------------------------------- */

void __real_free(void *pointer);
int __wrap_gettimeofday(struct timeval *now, void *zone);
void __wrap_free(void *pointer);

int __wrap_gettimeofday(struct timeval *now, void *zone)
{
    (void) zone;
    now->tv_sec = (time_t) (moment_us / 1000000);
    now->tv_usec = (suseconds_t) (moment_us % 1000000);
    return 0;
}

static void *grown(struct span *span, void *old, int wanted, int *room, size_t size)
{
    void *larger;

    if (wanted <= *room)
        return old;
    larger = realloc(old, (size_t) wanted * 2 * size);
    if (!larger) {
        span->out_of_memory = 1;
        return NULL;
    }
    *room = wanted * 2;
    return larger;
}

static void note_gone(struct span *span, unsigned number)
{
    unsigned *larger = grown(span, span->gone, span->gone_count + 1, &span->gone_room, sizeof(*span->gone));

    if (!larger)
        return;
    span->gone = larger;
    span->gone[span->gone_count++] = number;
}

void __wrap_free(void *pointer)
{
    struct span *span;
    int index;

    if (pointer) {
        for (span = open_spans; span; span = span->next) {
            for (index = 0; index < span->call_count; index++) {
                if (span->calls[index].pointer == pointer) {
                    note_gone(span, span->calls[index].number);
                    span->calls[index] = span->calls[--span->call_count];
                    break;
                }
            }
        }
    }
    __real_free(pointer);
}

/* ---- callbacks of libpri ------------------------------------------------------------------------------------------- */

static int read_frame(struct pri *pri, void *buffer, int room)
{
    struct span *span = pri_get_userdata(pri);
    int octets = span->frame_octets;

    if (!span->frame || octets + FCS_OCTETS > room)
        return 0;
    /* libpri looks for the end of some elements beyond the frame, up to an octet with the highest bit set. */
    memset(buffer, 0xff, (size_t) room);
    memcpy(buffer, span->frame, (size_t) octets);
    span->frame = NULL;
    return octets + FCS_OCTETS;
}

/* Our copy of a frame without FCS: its length after a NOTIFY has become a STATUS ENQUIRY, which has no elements. */
static int ask_instead_of_notify(uint8_t *frame, int length)
{
    int kind;

    if (length < 7 || (frame[2] & 1) || frame[4] != Q931_PROTOCOL)
        return length;
    kind = 6 + (frame[5] & 0x0f);
    if (kind >= length || frame[kind] != NOTIFY)
        return length;
    frame[kind] = STATUS_ENQUIRY;
    return kind + 1;
}

static int write_frame(struct pri *pri, void *buffer, int octets)
{
    struct span *span = pri_get_userdata(pri);
    int length = octets - FCS_OCTETS;
    uint8_t *larger;

    if (length <= 0)
        return octets;
    larger = grown(span, span->out, span->out_octets + length + 2, &span->out_room, 1);
    if (!larger)
        return octets;
    span->out = larger;
    larger += span->out_octets;
    memcpy(larger + 2, buffer, (size_t) length);
    length = ask_instead_of_notify(larger + 2, length);
    larger[0] = (uint8_t) (length & 0xff);
    larger[1] = (uint8_t) (length >> 8);
    span->out_octets += length + 2;
    return octets;
}

static void take_complaint(struct pri *pri, char *text)
{
    struct span *span = pri ? pri_get_userdata(pri) : NULL;

    if (!span)
        return;
    span->complaints++;
    strncpy(span->complaint, text, sizeof(span->complaint) - 1);
}

static void pass_over(struct pri *pri, char *text)
{
    (void) pri;
    (void) text;
}

/* ---- numbers of calls ---------------------------------------------------------------------------------------------- */

static struct known_call *known(struct span *span, unsigned number)
{
    int index;

    for (index = 0; index < span->call_count; index++)
        if (span->calls[index].number == number)
            return &span->calls[index];
    return NULL;
}

static q931_call *pointer_of(struct span *span, unsigned number)
{
    struct known_call *call = known(span, number);

    return call ? call->pointer : NULL;
}

static unsigned number_of(struct span *span, q931_call *pointer)
{
    int index;

    for (index = 0; pointer && index < span->call_count; index++)
        if (span->calls[index].pointer == pointer)
            return span->calls[index].number;
    return 0;
}

static unsigned remember(struct span *span, q931_call *pointer)
{
    unsigned number = number_of(span, pointer);
    struct known_call *larger;

    if (number || !pointer)
        return number;
    larger = grown(span, span->calls, span->call_count + 1, &span->call_room, sizeof(*span->calls));
    if (!larger)
        return 0;
    span->calls = larger;
    span->calls[span->call_count].pointer = pointer;
    span->calls[span->call_count].number = ++span->last_number;
    span->calls[span->call_count].fresh = ANSWERED;
    span->call_count++;
    return span->last_number;
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

static void copy_text(char *target, size_t room, const char *source)
{
    strncpy(target, source, room - 1);
    target[room - 1] = 0;
}

static int take_event(struct span *span, pri_event *event, struct span_event *copy)
{
    if (!event)
        return 0;
    memset(copy, 0, sizeof(*copy));
    copy->kind = event->e;
    copy->channel = -1;
    switch (event->e) {
    case PRI_EVENT_RING:
        copy->call = remember(span, event->ring.call);
        copy->channel = event->ring.channel;
        if (copy->call)
            known(span, copy->call)->fresh = (copy->channel & 0xff) % 0xff ? FRESH : FRESH_ANYWHERE;
        copy->flexible = event->ring.flexible;
        copy->complete = event->ring.complete;
        copy->capability = event->ring.ctype;
        copy->calling_valid = event->ring.calling.number.valid;
        copy->calling_plan = event->ring.calling.number.plan;
        copy->calling_presentation = event->ring.calling.number.presentation;
        copy->called_plan = event->ring.calledplan;
        copy_text(copy->calling, sizeof(copy->calling), event->ring.calling.number.str);
        if (event->ring.calling.name.valid)
            copy_text(copy->calling_name, sizeof(copy->calling_name), event->ring.calling.name.str);
        copy->name_presentation = event->ring.calling.name.presentation;
        copy_text(copy->called, sizeof(copy->called), event->ring.callednum);
        copy_text(copy->digits, sizeof(copy->digits), event->ring.keypad_digits);
        break;
    case PRI_EVENT_INFO_RECEIVED:
        copy->call = number_of(span, event->ring.call);
        copy->complete = event->ring.complete;
        copy_text(copy->digits, sizeof(copy->digits), event->ring.callednum);
        break;
    case PRI_EVENT_KEYPAD_DIGIT:
        copy->call = number_of(span, event->digit.call);
        copy_text(copy->digits, sizeof(copy->digits), event->digit.digits);
        break;
    case PRI_EVENT_PROCEEDING:
    case PRI_EVENT_PROGRESS:
        copy->call = number_of(span, event->proceeding.call);
        copy->channel = event->proceeding.channel;
        break;
    case PRI_EVENT_SETUP_ACK:
        copy->call = number_of(span, event->setup_ack.call);
        copy->channel = event->setup_ack.channel;
        break;
    case PRI_EVENT_RINGING:
        copy->call = number_of(span, event->ringing.call);
        copy->channel = event->ringing.channel;
        break;
    case PRI_EVENT_ANSWER:
        copy->call = number_of(span, event->answer.call);
        copy->channel = event->answer.channel;
        break;
    case PRI_EVENT_HANGUP:
    case PRI_EVENT_HANGUP_REQ:
    case PRI_EVENT_HANGUP_ACK:
        /* After HANGUP_ACK the pointer is dead; number_of() then knows it no more. */
        copy->call = number_of(span, event->hangup.call);
        copy->channel = event->hangup.channel;
        copy->cause = event->hangup.cause;
        break;
    case PRI_EVENT_RESTART:
        copy->channel = event->restart.channel;
        break;
    case PRI_EVENT_RESTART_ACK:
        copy->channel = event->restartack.channel;
        break;
    case PRI_EVENT_SERVICE:
        copy->channel = event->service.channel;
        copy->cause = event->service.changestatus;
        break;
    case PRI_EVENT_CONFIG_ERR:
        copy_text(copy->text, sizeof(copy->text), event->err.err);
        break;
    default:
        break;
    }
    return 1;
}

/* ---- what the binding calls; `now_us` is the moment for all timers ------------------------------------------------- */

static struct span *span_open(int network, int64_t now_us, int overlap, int t309_ms)
{
    struct span *span = calloc(1, sizeof(*span));

    if (!span)
        return NULL;
    moment_us = now_us;
    pri_set_message(pass_over);
    pri_set_error(take_complaint);
    span->next = open_spans;
    open_spans = span;
    /* The constructor sends its first frame. */
    span->pri = pri_new_cb(-1, network ? PRI_NETWORK : PRI_CPE, PRI_SWITCH_EUROISDN_E1, read_frame, write_frame, span);
    if (!span->pri) {
        open_spans = span->next;
        __real_free(span);
        return NULL;
    }
    pri_set_debug(span->pri, 0);
    pri_set_overlapdial(span->pri, overlap);
    pri_hangup_fix_enable(span->pri, 1);
    pri_set_service_message_support(span->pri, 1);
    pri_set_timer(span->pri, PRI_TIMER_T309, t309_ms);
    return span;
}

/* libpri cannot be closed: its own structures stay, some 100 kB a span. A worker process has one span. */
static void span_close(struct span *span)
{
    struct span **link;

    for (link = &open_spans; *link; link = &(*link)->next) {
        if (*link == span) {
            *link = span->next;
            break;
        }
    }
    __real_free(span->out);
    __real_free(span->calls);
    __real_free(span->gone);
    __real_free(span);
}

static int span_receive(struct span *span, int64_t now_us, const uint8_t *frame, int octets, struct span_event *event)
{
    int found;

    if (octets < SHORTEST_FRAME || octets > LONGEST_FRAME)
        return 0;
    moment_us = now_us;
    span->frame = frame;
    span->frame_octets = octets;
    found = take_event(span, pri_check_event(span->pri), event);
    span->frame = NULL;
    return found;
}

static int span_run_timers(struct span *span, int64_t now_us, struct span_event *event)
{
    moment_us = now_us;
    return take_event(span, pri_schedule_run(span->pri), event);
}

/* The moment of the next timer; -1: none runs. */
static int64_t span_next_us(struct span *span)
{
    struct timeval *next = pri_schedule_next(span->pri);

    return next ? (int64_t) next->tv_sec * 1000000 + next->tv_usec : -1;
}

/* Copy the frames that wait (each after two octets of its length, low first) and forget them; gives the octets copied. */
static int span_take_frames(struct span *span, uint8_t *target, int room)
{
    int octets = span->out_octets;

    if (octets > room)
        return -1;
    if (octets)
        memcpy(target, span->out, (size_t) octets);
    span->out_octets = 0;
    return octets;
}

static int span_frames_waiting(struct span *span) { return span->out_octets; }

static int span_take_gone(struct span *span, unsigned *target, int room)
{
    int count = span->gone_count < room ? span->gone_count : room;

    if (count)
        memcpy(target, span->gone, (size_t) count * sizeof(*target));
    memmove(span->gone, span->gone + count, (size_t) (span->gone_count - count) * sizeof(*target));
    span->gone_count -= count;
    return count;
}

static int span_calls(struct span *span) { return span->call_count; }
static int span_is_known(struct span *span, unsigned call) { return pointer_of(span, call) != NULL; }
static unsigned span_complaints(struct span *span) { return span->complaints; }
static const char *span_complaint(struct span *span) { return span->complaint; }
static int span_out_of_memory(struct span *span) { return span->out_of_memory; }

/* The number of the new call; 0: libpri did not take it. */
static unsigned span_setup(struct span *span, int64_t now_us, const struct span_setup *wanted)
{
    struct pri_sr *request;
    struct pri_party_id caller;
    q931_call *call;
    unsigned number;

    moment_us = now_us;
    call = pri_new_call(span->pri);
    if (!call)
        return 0;
    number = remember(span, call);
    request = pri_sr_new();
    if (!request || !number) {
        pri_destroycall(span->pri, call);
        if (request)
            pri_sr_free(request);
        return 0;
    }
    memset(&caller, 0, sizeof(caller));
    caller.number.valid = wanted->calling_valid;
    caller.number.presentation = wanted->calling_presentation;
    caller.number.plan = wanted->calling_plan;
    copy_text(caller.number.str, sizeof(caller.number.str), wanted->calling);
    caller.name.valid = wanted->calling_name[0] != 0;
    caller.name.presentation = wanted->calling_presentation;
    caller.name.char_set = PRI_CHAR_SET_ISO8859_1;
    copy_text(caller.name.str, sizeof(caller.name.str), wanted->calling_name);
    pri_sr_set_channel(request, wanted->channel, wanted->exclusive, 0);
    pri_sr_set_bearer(request, PRI_TRANS_CAP_3_1K_AUDIO, PRI_LAYER_1_ALAW);
    pri_sr_set_called(request, (char *) wanted->called, wanted->called_plan, wanted->complete);
    pri_sr_set_caller_party(request, &caller);
    if (pri_setup(span->pri, call, request)) {
        if (pointer_of(span, number))
            pri_destroycall(span->pri, call);
        number = 0;
    }
    pri_sr_free(request);
    return number;
}

enum { DO_SETUP_ACK, DO_PROCEEDING, DO_ALERTING, DO_CONNECT, DO_HANGUP, DO_DESTROY, DO_ASK, DO_DIGIT };

/* The causes for which libpri refuses a fresh call by RELEASE COMPLETE. */
static int refuses_at_once(int cause)
{
    switch (cause) {
    case PRI_CAUSE_UNALLOCATED:
    case PRI_CAUSE_NORMAL_CIRCUIT_CONGESTION:
    case PRI_CAUSE_REQUESTED_CHAN_UNAVAIL:
    case PRI_CAUSE_IDENTIFIED_CHANNEL_NOTEXIST:
    case PRI_CAUSE_INCOMPATIBLE_DESTINATION:
        return 1;
    default:
        return 0;
    }
}

/* `value`: the channel, the cause or the digit. -1: there is no such call (any more), or libpri refused. */
static int span_do(struct span *span, int64_t now_us, unsigned call, int what, int value)
{
    struct known_call *entry = known(span, call);
    q931_call *pointer = entry ? entry->pointer : NULL;
    int fresh;

    moment_us = now_us;
    if (!pointer)
        return -1;
    fresh = entry->fresh;
    entry->fresh = ANSWERED;
    switch (what) {
    case DO_SETUP_ACK:
        return pri_setup_ack(span->pri, pointer, value, 0, 0);
    case DO_PROCEEDING:
        return pri_proceeding(span->pri, pointer, value, 0);
    case DO_ALERTING:
        return pri_acknowledge(span->pri, pointer, value, 0);
    case DO_CONNECT:
        return pri_answer(span->pri, pointer, value, 0);
    case DO_HANGUP:
        if (fresh == FRESH && !refuses_at_once(value))
            pri_proceeding(span->pri, pointer, 0, 0);
        if (fresh == FRESH_ANYWHERE && !refuses_at_once(value))
            value = PRI_CAUSE_NORMAL_CIRCUIT_CONGESTION; /* there is no channel to proceed on */
        return pri_hangup(span->pri, pointer, value);
    case DO_DESTROY:
        pri_destroycall(span->pri, pointer);
        return 0;
    case DO_ASK:
        return pri_notify(span->pri, pointer, 0, PRI_NOTIFY_USER_RESUMED);
    case DO_DIGIT:
        return pri_information(span->pri, pointer, (char) value);
    default:
        return -1;
    }
}

static int span_restart(struct span *span, int64_t now_us, int channel)
{
    moment_us = now_us;
    return pri_reset(span->pri, channel);
}
