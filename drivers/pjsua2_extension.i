/*
 * What the SIP worker needs beyond pjsua2's own Python binding: one call that moves one 10 ms block of every SIP channel.
 *
 * For: scripts/build_pjsua2, which appends this file to pjsua2.i, so that the class stands in the module `pjsua2`.
 * Not: SIP, calls, policy. Those go through pjsua2's ordinary classes.
 *
 * Why: `AudDevManager.setNoDev()` returns an opaque pointer, so Python cannot drive the bridge by itself, and an
 * `AudioMediaPort` costs two Python calls a channel a tick. Here the rows are C, and Python makes one call a tick.
 */
%{
#undef THIS_FILE
#define THIS_FILE "pjsua2_extension.i"
%}

%inline %{
namespace pj {

/**
 * All SIP channels of the box as rows of two A-law arrays, and the clock of pjsua's conference bridge.
 *
 * The bridge must run at 8000 Hz, mono, 10 ms (MediaConfig: clockRate 8000, channelCount 1, audioFramePtime 10), which
 * is a block of 80 samples. Create it once after Endpoint.libStart() and keep it: rows are reused, never destroyed
 * one by one (destroying a port while the bridge runs is the classical crash of pjsua).
 *
 * Raises pjsua2.Error: PJ_EINVAL (rows 0, or a buffer is not writable, not contiguous or not rows * 80 bytes),
 * PJMEDIA_ENCSAMPLESPFRAME (the bridge does not run at 80 samples a frame), PJ_ETOOMANY (too few bridge ports).
 */
class BlockExchange
{
public:
    enum { BLOCK_SAMPLES = 80 };

    /**
     * from_sip, to_sip: any writable buffers (numpy arrays, shared memory) of uint8 [rows, 80], A-law as on the line.
     * They stay locked (exported) until close().
     * Takes the bridge away from any sound device: from here on its time passes only in tick().
     */
    BlockExchange(unsigned rows, PyObject *from_sip, PyObject *to_sip) PJSUA2_THROW(Error)
    : master(NULL), samples_passed(0), is_open(false)
    {
        if (rows == 0)
            PJSUA2_RAISE_ERROR2(PJ_EINVAL, "BlockExchange(): at least one row");
        if (!hold_buffers(rows * BLOCK_SAMPLES, from_sip, to_sip))
            PJSUA2_RAISE_ERROR2(PJ_EINVAL, "BlockExchange(): needs two writable contiguous buffers of rows * 80 bytes");
        try {
            open(rows);
        } catch (...) {
            close();
            throw;
        }
    }

    ~BlockExchange() { close(); }

    /** The conference port of a row: connect it both ways with a call's AudioMedia by startTransmit(). Owned here. */
    const AudioMedia &media(unsigned row) const PJSUA2_THROW(Error)
    {
        if (row >= medias.size())
            PJSUA2_RAISE_ERROR2(PJ_EINVAL, "BlockExchange.media(): no such row");
        return medias[row];
    }

    /**
     * One block of 10 ms: every row of to_sip goes out, every row of from_sip is new (silence 0xD5 where nobody is
     * connected). Never waits for time; calling it k times in a row passes k * 10 ms. The GIL is released meanwhile.
     * The thread must be known to pjlib (the one that created the Endpoint, or Endpoint.libRegisterThread()).
     */
    void tick() PJSUA2_THROW(Error)
    {
        if (!is_open)
            PJSUA2_RAISE_ERROR2(PJ_EINVALIDOP, "BlockExchange.tick(): closed");
        pj_int16_t speaker[BLOCK_SAMPLES];
        pjmedia_frame frame;
        pj_bzero(&frame, sizeof(frame));
        frame.type = PJMEDIA_FRAME_TYPE_AUDIO;
        frame.buf = speaker;
        frame.size = sizeof(speaker);
        frame.timestamp.u64 = samples_passed;
        PJSUA2_CHECK_EXPR( pjmedia_port_get_frame(master, &frame) );
        samples_passed += BLOCK_SAMPLES;
    }

    /** Takes the rows out of the bridge and lets the buffers go. Call it before Endpoint.libDestroy(). May be repeated. */
    void close()
    {
        bool bridge_lives = pjsua_get_state() >= PJSUA_STATE_CREATED && pjsua_get_state() < PJSUA_STATE_CLOSING;
        for (size_t row = 0; bridge_lives && row < rows_.size(); ++row) {
            pj_grp_lock_acquire(rows_[row]->grp_lock);
            rows_[row]->port_data.pdata = NULL;
            pj_grp_lock_release(rows_[row]->grp_lock);
            if (row < medias.size())
                pjsua_conf_remove_port(medias[row].getPortId());
            pjmedia_port_destroy(rows_[row]);
        }
        rows_.clear();
        medias.clear();
        is_open = false;
        release_buffers();
    }

private:
    struct RowMedia : public AudioMedia
    {
        RowMedia(int slot) { id = slot; }
    };

    Py_buffer from_view, to_view;
    bool from_held, to_held;
    pjmedia_port *master;
    std::vector<pjmedia_port*> rows_;
    std::vector<RowMedia> medias;
    pj_uint64_t samples_passed;
    bool is_open;

    BlockExchange(const BlockExchange &);
    BlockExchange &operator=(const BlockExchange &);

    /* The binding released the GIL before it called us; the buffer protocol needs it. */
    bool hold_buffers(Py_ssize_t size, PyObject *from_sip, PyObject *to_sip)
    {
        PyGILState_STATE gil = PyGILState_Ensure();
        from_held = PyObject_GetBuffer(from_sip, &from_view, PyBUF_WRITABLE) == 0;
        to_held = from_held && PyObject_GetBuffer(to_sip, &to_view, PyBUF_WRITABLE) == 0;
        PyErr_Clear();
        bool fits = to_held && from_view.len == size && to_view.len == size;
        PyGILState_Release(gil);
        if (!fits)
            release_buffers();
        return fits;
    }

    void release_buffers()
    {
        if (!from_held && !to_held)
            return;
        PyGILState_STATE gil = PyGILState_Ensure();
        if (from_held)
            PyBuffer_Release(&from_view);
        if (to_held)
            PyBuffer_Release(&to_view);
        from_held = to_held = false;
        PyGILState_Release(gil);
    }

    void open(unsigned rows)
    {
        master = pjsua_set_no_snd_dev();
        if (!master || PJMEDIA_PIA_SPF(&master->info) != BLOCK_SAMPLES)
            PJSUA2_RAISE_ERROR2(PJMEDIA_ENCSAMPLESPFRAME, "BlockExchange(): the bridge is not 8000 Hz mono 10 ms");
        /* The pool is given back by libDestroy: the bridge lets its ports go later than close(). */
        pj_pool_t *pool = pjsua_pool_create("blocks", 4096, 4096);
        if (!pool)
            PJSUA2_RAISE_ERROR(PJ_ENOMEM);
        memset(from_view.buf, SILENCE, from_view.len);
        for (unsigned row = 0; row < rows; ++row) {
            pjmedia_port *port = PJ_POOL_ZALLOC_T(pool, pjmedia_port);
            char text[32];
            pj_str_t name;
            int slot = PJSUA_INVALID_ID;

            pj_ansi_snprintf(text, sizeof(text), "row %u", row);
            pj_strdup2_with_null(pool, &name, text);
            pjmedia_port_info_init(&port->info, &name, PJMEDIA_SIG_CLASS_APP('L', 'B', 'X'), 8000, 1, 16, BLOCK_SAMPLES);
            port->port_data.pdata = this;
            port->port_data.ldata = row;
            port->get_frame = &to_bridge;
            port->put_frame = &from_bridge;
            port->on_destroy = &nothing_to_free;
            PJSUA2_CHECK_EXPR( pjmedia_port_init_grp_lock(port, pool, NULL) );
            rows_.push_back(port);
            PJSUA2_CHECK_EXPR( pjsua_conf_add_port(pool, port, &slot) );
            medias.push_back(RowMedia(slot));
        }
        is_open = true;
    }

    static const pj_uint8_t SILENCE = 0xD5;

    static pj_status_t nothing_to_free(pjmedia_port *) { return PJ_SUCCESS; }

    static pj_status_t to_bridge(pjmedia_port *port, pjmedia_frame *frame)
    {
        pj_grp_lock_acquire(port->grp_lock);
        BlockExchange *exchange = static_cast<BlockExchange *>(port->port_data.pdata);
        if (exchange) {
            const pj_uint8_t *line = (const pj_uint8_t *)exchange->to_view.buf + port->port_data.ldata * BLOCK_SAMPLES;
            pj_int16_t *linear = (pj_int16_t *)frame->buf;
            for (unsigned i = 0; i < BLOCK_SAMPLES; ++i)
                linear[i] = (pj_int16_t)pjmedia_alaw2linear(line[i]);
        }
        frame->type = exchange ? PJMEDIA_FRAME_TYPE_AUDIO : PJMEDIA_FRAME_TYPE_NONE;
        frame->size = exchange ? BLOCK_SAMPLES * 2 : 0;
        pj_grp_lock_release(port->grp_lock);
        return PJ_SUCCESS;
    }

    static pj_status_t from_bridge(pjmedia_port *port, pjmedia_frame *frame)
    {
        pj_grp_lock_acquire(port->grp_lock);
        BlockExchange *exchange = static_cast<BlockExchange *>(port->port_data.pdata);
        if (exchange) {
            pj_uint8_t *line = (pj_uint8_t *)exchange->from_view.buf + port->port_data.ldata * BLOCK_SAMPLES;
            if (frame->type == PJMEDIA_FRAME_TYPE_AUDIO && frame->size == BLOCK_SAMPLES * 2) {
                const pj_int16_t *linear = (const pj_int16_t *)frame->buf;
                for (unsigned i = 0; i < BLOCK_SAMPLES; ++i)
                    line[i] = pjmedia_linear2alaw(linear[i]);
            } else {
                memset(line, SILENCE, BLOCK_SAMPLES);
            }
        }
        pj_grp_lock_release(port->grp_lock);
        return PJ_SUCCESS;
    }
};

} // namespace pj
%}
