% rebase("layout.tpl", title=_("Calls"))
<div class="list-page">
  <form class="filters" method="get" action="/calls" aria-label="{{_("Filter")}}">
    <input type="checkbox" id="more-filters" class="narrow-only" {{!"checked" if more_filters else ""}}><label for="more-filters" class="narrow-only more-filters">{{_("More filters")}}</label>
    <label class="first-filter">{{_("Caller")}} <input name="caller" value="{{query.get("caller", "")}}" inputmode="tel" size="13"></label>
    % if caller.sees_everything:
    <label>{{_("Agent")}} <select name="agent"><option value="">{{_("All")}}</option>
      % for number, name in agents.items():
      <option value="{{number}}" {{!"selected" if query.get("agent") == number else ""}}>{{number}} {{name}}</option>
      % end
    </select></label>
    <label>{{_("Seat")}} <select name="seat"><option value="">{{_("All")}}</option>
      % for seat in seats:
      <option {{!"selected" if query.get("seat") == seat else ""}}>{{seat}}</option>
      % end
    </select></label>
    % end
    <label>{{_("Line")}} <input name="trunk" value="{{query.get("trunk", "")}}" size="7" placeholder="E1-1/3"></label>
    <label>{{_("Queue")}} <select name="queue"><option value="">{{_("All")}}</option>
      % for queue, name in queues.items():
      <option value="{{queue}}" {{!"selected" if query.get("queue") == queue else ""}}>{{name}}</option>
      % end
    </select></label>
    <label>{{_("Result")}} <select name="result"><option value="">{{_("All")}}</option>
      % for code in results:
      <option value="{{code}}" {{!"selected" if query.get("result") == code else ""}}>{{words.code("result", code)}}</option>
      % end
    </select></label>
    <label class="day">{{_("From")}} <span><input type="date" name="since" value="{{query.get("since", "")}}"> <input type="time" name="since_time" value="{{query.get("since_time", "")}}" aria-label="{{_("From")}}"></span></label>
    <label class="day">{{_("To")}} <span><input type="date" name="until" value="{{query.get("until", "")}}"> <input type="time" name="until_time" value="{{query.get("until_time", "")}}" aria-label="{{_("To")}}"></span></label>
    <label class="check"><input type="checkbox" name="recorded" value="1" {{!"checked" if query.get("recorded") else ""}}> {{_("Recorded only")}}</label>
    <button class="primary">{{_("Search")}}</button>
    % if filtered:
    <a href="/calls">{{_("Show all")}}</a>
    % end
  </form>
  <p id="new-calls" class="new-calls" hidden><a href="/calls"></a></p>
  % if calls:
  <div class="table-scroll">
  <table class="call-table call-list">
    <thead><tr>
      <th class="number">{{_("Number")}}</th><th>{{_("Arrived")}}</th><th>{{_("Caller")}}</th><th class="wide-only">{{_("Line")}}</th><th>{{_("Service")}}</th><th>{{_("Queue")}}</th><th>{{_("Agent")}}</th><th class="number">{{_("Waited")}}</th><th class="number">{{_("Talked")}}</th><th>{{_("Result")}}</th><th class="actions">{{_("Actions")}}</th>
    </tr></thead>
    <tbody>
    % for call in calls:
      % start = call.queued_utc_us or call.arrived_utc_us
      <tr data-call="{{call.number}}">
        <td class="number"><a href="/calls/{{call.number}}">{{call.number}}</a></td>
        <td class="time">{{formats.date_and_time(call.arrived_utc_us)}}</td>
        <td class="phone-number">{{number_of(call) or _("Number not shown")}}
          % if call.direction == "out":
          <small class="quiet">{{words.code("direction", "out")}}</small>
          % end
        </td>
        <td class="wide-only">{{call.trunk or "—"}}</td>
        <td class="service">{{services.get(call.service, call.service)}}</td>
        <td class="queue">{{queues.get(call.queue, call.queue)}}</td>
        <td class="agent">{{call.agent}} {{agents.get(call.agent, "")}}</td>
        <td class="number waited">{{formats.duration((call.answered_utc_us or call.ended_utc_us) - start if (call.answered_utc_us or call.ended_utc_us) else None)}}</td>
        <td class="number talked">{{formats.duration(call.ended_utc_us - call.answered_utc_us if call.answered_utc_us and call.ended_utc_us else None)}}</td>
        <td class="outcome"><span class="result" data-result="{{call.result}}">{{words.code("result", call.result)}}</span></td>
        <td class="actions">
          % if call.recording_state == "closed":
          <button class="link" data-play="{{call.number}}">▶ {{_("Play")}}</button>
          % elif call.recording_state:
          <span class="quiet">{{words.code("recording", call.recording_state)}}</span>
          % end
          <a href="/calls/{{call.number}}">{{_("Details")}}</a>
        </td>
      </tr>
    % end
    </tbody>
  </table>
  </div>
  <nav class="pages" aria-label="{{_("Pages")}}">
    % if first_page:
    <a href="{{first_page}}">{{_("Newest")}}</a>
    % end
    % if next_page:
    <a href="{{next_page}}" rel="next">{{_("Older")}}</a>
    % end
  </nav>
  % elif filtered:
  <div class="empty-state"><h1>{{_("No call fits the filter.")}}</h1><p><a href="/calls">{{_("Show all")}}</a></p></div>
  % else:
  <div class="empty-state"><h1>{{_("There are no calls yet.")}}</h1><p>{{_("Every call appears here as soon as it arrives.")}}</p></div>
  % end
</div>
% include("player.tpl")
