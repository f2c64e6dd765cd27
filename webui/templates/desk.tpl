% rebase("layout.tpl", title=_("Desk"))
% if not caller.agent:
<div class="empty-state">
  <h1>{{_("This login has no agent number.")}}</h1>
  <p>{{_("The desk is for agents. An administrator gives a login its agent number.")}}</p>
  <p><a href="/wall">{{_("To the wall")}}</a></p>
</div>
% else:
<div class="desk" id="desk" data-loading>
  <section class="desk-call" aria-label="{{_("Call")}}">
    <div id="call-box" class="call-box" data-state="loading">
      <p class="call-state live" role="status" aria-live="assertive"><span id="call-state">{{_("Loading")}}</span> <time id="call-timer" class="timer"></time></p>
      <p id="caller-number" class="caller-number live"></p>
      <p id="call-hint" class="call-hint live"></p>
    </div>

    <form id="seat-picker" class="seat-picker" hidden>
      <h2>{{_("Choose your seat")}}</h2>
      <div id="seats" class="seat-choices" role="radiogroup" aria-label="{{_("Seats")}}"></div>
      <button class="primary wide" id="take-seat" disabled>{{_("Take the seat")}}</button>
    </form>

    <div id="phone" class="phone" hidden>
      <div class="phone-buttons">
        <button data-do="answer" data-key="F2" aria-keyshortcuts="F2" class="call-button answer"><span>{{_("Answer")}}</span><kbd>F2</kbd></button>
        <button data-do="hold" data-key="F8" aria-keyshortcuts="F8" class="call-button"><span>{{_("Hold")}}</span><kbd>F8</kbd></button>
        <button data-do="retrieve" data-key="F8" aria-keyshortcuts="F8" class="call-button retrieve"><span>{{_("Retrieve")}}</span><kbd>F8</kbd></button>
        <button data-do="release" data-key="F4" aria-keyshortcuts="F4" class="call-button release"><span>{{_("Release")}}</span><kbd>F4</kbd></button>
        <button data-do="ready" data-key="F9" aria-keyshortcuts="F9" class="call-button ready"><span>{{_("Go ready")}}</span><kbd>F9</kbd></button>
      </div>
      <div class="break-row" id="break-row">
        <span class="quiet" id="break-title">{{_("Go on break")}}</span>
        % for number, (code, name) in enumerate(reasons.items()):
        <button class="small" data-do="not-ready" data-reason="{{code}}" {{!'data-key="F10" aria-keyshortcuts="F10"' if number == 0 else ""}}><span>{{name}}</span>{{!"<kbd>F10</kbd>" if number == 0 else ""}}</button>
        % end
      </div>
    </div>
    <p id="request-problem" class="problem" role="alert" hidden></p>
    <div class="seat-line" id="seat-line" hidden>
      <span><span class="quiet">{{_("Agent number")}}</span> <b>{{caller.agent}}</b></span>
      <span><span class="quiet">{{_("Seat")}}</span> <b id="seat-name"></b> <span id="seat-extension" class="quiet"></span></span>
      <button class="plain" data-do="sign-out" id="leave-seat">{{_("Leave the seat")}}</button>
    </div>
  </section>

  <section class="desk-person" aria-label="{{_("Caller")}}">
    <h2 id="facts-title">{{_("This call")}}</h2>
    <dl id="call-facts" class="facts live" hidden>
      <div><dt id="citizen-title">{{_("Caller")}}</dt><dd data-fact="caller"></dd></div>
      <div><dt>{{_("Service")}}</dt><dd data-fact="service"></dd></div>
      <div id="called-fact"><dt>{{_("Called number")}}</dt><dd data-fact="called"></dd></div>
      <div><dt>{{_("Queue")}}</dt><dd data-fact="queue"></dd></div>
      <div><dt id="started-title">{{_("Arrived")}}</dt><dd data-fact="started"></dd></div>
      <div id="waited-fact"><dt>{{_("Since arrival")}}</dt><dd><time data-fact="waited" class="timer"></time></dd></div>
      <div><dt>{{_("Line")}}</dt><dd data-fact="trunk"></dd></div>
      <div><dt>{{_("Recording")}}</dt><dd data-fact="recorded"></dd></div>
      <div><dt>{{_("Call number")}}</dt><dd data-fact="id"></dd></div>
    </dl>
    <p id="no-call" class="empty-line">{{_("No call at the moment. What is known of a caller appears here by itself.")}}</p>
    <h2>{{_("Queues")}}</h2>
    <table class="plain-table live" id="desk-queues">
      <thead><tr><th>{{_("Queue")}}</th><th class="number">{{_("Waiting")}}</th><th class="number">{{_("Longest wait")}}</th><th class="number">{{_("Ready agents")}}</th></tr></thead>
      <tbody></tbody>
    </table>
  </section>

  <section class="desk-history" aria-label="{{_("Earlier calls")}}">
    <h2>{{_("Earlier calls of this number")}}</h2>
    <ol id="history" class="history live"></ol>
    <p id="history-empty" class="empty-line"></p>
  </section>
</div>
% end
