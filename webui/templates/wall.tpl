% rebase("layout.tpl", title=_("Wall"))
<div class="wall" id="wall">
  <section class="figures live" aria-label="{{_("Figures")}}">
    <div class="figure" id="figure-waiting"><b>–</b><span>{{_("Waiting")}}</span></div>
    <div class="figure" id="figure-longest"><b>–</b><span>{{_("Longest wait")}}</span></div>
    <div class="figure" id="figure-ready"><b>–</b><span>{{_("Ready")}}</span></div>
    <div class="figure" id="figure-talking"><b>–</b><span>{{_("Talking")}}</span></div>
    <div class="figure" id="figure-rate" title="{{_("Answered ÷ (answered + abandoned), since midnight; calls still waiting are not counted.")}}"><b>–</b><span>{{_("Connection rate today")}} <small id="rate-parts"></small></span></div>
    <div class="figure" id="figure-alarms"><b>–</b><span>{{_("Alarms")}}</span></div>
  </section>
  <section class="wall-seats" aria-label="{{_("Seats")}}">
    <div id="wall-seats" class="seat-grid live"></div>
  </section>
  <section class="wall-side">
    <table class="wall-queues live" id="wall-queues">
      <thead><tr><th>{{_("Queue")}}</th><th class="number">{{_("Waiting")}}</th><th class="number">{{_("Longest wait")}}</th><th class="number">{{_("Ready")}}</th></tr></thead>
      <tbody></tbody>
    </table>
    <ol id="wall-waiting" class="wall-waiting live" aria-label="{{_("Waiting")}}"></ol>
    <div id="wall-alarms" class="wall-alarms live" role="status"></div>
  </section>
  <section class="wall-channels live" id="wall-channels" aria-label="{{_("Channels")}}"></section>
  <ul class="wall-blocked live" id="wall-blocked" aria-label="{{_("Blocked channels")}}" hidden></ul>
</div>
% if caller.sees_everything:
<dialog id="block-dialog" aria-labelledby="block-title">
  <form id="block-form">
    <h2><b id="block-title"></b> <span id="block-state"></span></h2>
    <p id="block-why" hidden></p>
    <p id="block-levels" class="quiet" hidden></p>
    <label id="block-reason-row"><span>{{_("Reason")}}</span> <input id="block-reason" maxlength="64" autocomplete="off"></label>
    <p class="quiet">{{_("Calls that are up go on. The block stays through restarts until the channel is given back.")}}</p>
    <p id="block-warning" class="problem" hidden>{{_("All trunks are blocked then: nobody can call the box.")}}</p>
    <p id="block-problem" class="problem" role="alert" hidden></p>
    <p class="dialog-buttons"><button type="button" id="block-cancel">{{_("Cancel")}}</button> <button class="primary" id="block-do"></button></p>
  </form>
</dialog>
% end
