% rebase("layout.tpl", title=_("Call {number}", number=call.number))
% not_recorded = next((words.code("not_recorded", one.not_recorded) for one in segments if one.not_recorded), "")
% call_start = call.queued_utc_us or call.arrived_utc_us
<div class="detail-page">
  <p class="back"><a href="/calls">‹ {{_("Calls")}}</a></p>
  <h1 class="detail-title"><span class="phone-number">{{(detail.called if call.direction == "out" else detail.caller) or _("Number not shown")}}</span> <span class="result" data-result="{{call.result}}">{{words.code("result", call.result)}}</span></h1>
  <dl class="facts wide-facts">
    <div><dt>{{_("Call number")}}</dt><dd>{{call.number}}</dd></div>
    <div><dt>{{_("Called at") if call.direction == "out" else _("Arrived")}}</dt><dd>{{formats.date_and_time(call.arrived_utc_us, seconds=True)}}
      % if not call.trusted:
      <small class="quiet" title="{{_("The clock of the box was not synchronised at that moment.")}}">{{_("clock not synchronised")}}</small>
      % end
    </dd></div>
    <div><dt>{{_("Service")}}</dt><dd>{{services.get(call.service, call.service)}}</dd></div>
    % if call.direction != "out":
    <div><dt>{{_("Called number")}}</dt><dd>{{call.called}}</dd></div>
    % end
    <div><dt>{{_("Line")}}</dt><dd>{{call.trunk or "—"}} <span class="quiet">{{words.code("direction", call.direction)}}</span></dd></div>
    <div><dt>{{_("Queue")}}</dt><dd>{{queues.get(call.queue, call.queue) or "—"}}</dd></div>
    <div><dt>{{_("Agent")}}</dt><dd>{{(call.agent + " " + agents.get(call.agent, "")).strip() or "—"}}</dd></div>
    <div><dt>{{_("Waited")}}</dt><dd>{{formats.duration((call.answered_utc_us or call.ended_utc_us) - call_start if (call.answered_utc_us or call.ended_utc_us) else None)}}</dd></div>
    <div><dt>{{_("Talked")}}</dt><dd>{{formats.duration(call.ended_utc_us - call.answered_utc_us if call.answered_utc_us and call.ended_utc_us else None)}}</dd></div>
    <div><dt>{{_("Recording")}}</dt><dd>{{not_recorded or words.code("recording", "" if recording is None else "deleted" if recording.deleted else recording.state)}}
      % if recording is not None:
      <small class="quiet">{{_("number {number}", number=recording.original)}}{{" · " + _("on legal hold") if recording.legal_hold else ""}}</small>
      % end
      % if recording_fault is not None:
      <small class="recording-fault">{{recording_fault.what}}</small> <small class="quiet">{{recording_fault.remedy}}</small>
      % end
    </dd></div>
  </dl>
  % if recording is not None and recording.state == "closed" and not recording.deleted:
  <p class="detail-player"><audio controls preload="metadata" src="/api/v1/calls/{{call.number}}/recording"></audio>
    <span class="quiet">{{_("Left: citizen. Right: what the citizen heard.")}}</span></p>
  % end
  % if timeline:
  <h2>{{_("Course of the call")}}</h2>
  <div class="timeline-box">
  <ul class="timeline-legs">
    % for y, leg in timeline.rows:
    <li>{{words.code("party", leg.party)}} <span class="quiet">{{leg.channel_label}}</span></li>
    % end
  </ul>
  <div class="timeline-picture">
  <svg class="timeline" height="{{timeline.height}}" viewBox="0 0 960 {{timeline.height}}" preserveAspectRatio="none" role="img" aria-label="{{_("Course of the call")}}">
    % for bar in timeline.bars:
    <rect class="segment-{{bar.segment.kind}}" x="{{bar.x}}" y="{{bar.y + 4}}" width="{{bar.width}}" height="24"><title>{{words.code("segment", bar.segment.kind)}} {{formats.duration(bar.segment.ended_utc_us - bar.segment.started_utc_us)}}</title></rect>
    % end
  </svg>
  <p class="timeline-scale"><span>{{formats.time_of_day(timeline.begins_utc_us)}}</span><span>{{formats.duration(timeline.ends_utc_us - timeline.begins_utc_us)}}</span><span>{{formats.time_of_day(timeline.ends_utc_us)}}</span></p>
  </div>
  </div>
  % end
  % if segments:
  <div class="table-scroll">
  <table class="call-table call-course">
    <thead><tr><th>{{_("From")}}</th><th class="number">{{_("Duration")}}</th><th>{{_("Party")}}</th><th>{{_("What")}}</th><th>{{_("Queue")}}</th><th>{{_("Agent")}}</th><th>{{_("Seat")}}</th></tr></thead>
    <tbody>
    % parties = {leg.number: leg for leg in leg_rows}
    % for one in segments:
      % leg = parties.get(one.leg)
      <tr><td class="time">{{formats.time_of_day(one.started_utc_us)}}</td><td class="number length">{{formats.duration(one.ended_utc_us - one.started_utc_us)}}</td>
        <td class="party">{{words.code("party", leg.party) if leg else ""}} <span class="quiet">{{leg.channel_label if leg else ""}}</span></td>
        <td class="what"><span class="segment-sign segment-{{one.kind}}" aria-hidden="true"></span>{{words.code("segment", one.kind)}}</td>
        <td class="queue">{{queues.get(one.queue, one.queue)}}</td><td class="agent">{{one.agent}} {{agents.get(one.agent, "")}}</td><td class="seat">{{one.seat}}</td></tr>
    % end
    </tbody>
  </table>
  </div>
  % else:
  <p class="empty-line">{{_("The course of the call is written while it goes on; nothing is complete yet.")}}</p>
  % end
  % if leg_rows:
  <h2>{{_("Lines")}}</h2>
  <div class="table-scroll">
  <table class="call-table call-lines">
    <thead><tr><th>{{_("Party")}}</th><th>{{_("Line")}}</th><th>{{_("From")}}</th><th>{{_("Answered")}}</th><th>{{_("Until")}}</th><th>{{_("Ended by")}}</th><th>{{_("Cause")}}</th></tr></thead>
    <tbody>
    % for leg in leg_rows:
      <tr><td class="party">{{words.code("party", leg.party)}}</td><td class="line">{{leg.channel_label}}</td><td class="time from">{{formats.time_of_day(leg.started_utc_us)}}</td>
        <td class="time answered" data-label="{{_("Answered")}}">{{formats.time_of_day(leg.answered_utc_us) if leg.answered_utc_us else "—"}}</td><td class="time until">{{formats.time_of_day(leg.ended_utc_us) if leg.ended_utc_us else "—"}}</td>
        <td class="ended" data-label="{{_("Ended by")}}">{{words.code("ended_by", leg.ended_by)}}</td><td class="cause">{{words.code("cause", leg.cause)}}</td></tr>
    % end
    </tbody>
  </table>
  </div>
  % end
</div>
