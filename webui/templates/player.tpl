<aside id="player" class="player" hidden aria-label="{{_("Player")}}">
  <span id="player-title"></span>
  <audio id="audio" controls preload="metadata"></audio>
  <span class="quiet">{{_("Left: citizen. Right: what the citizen heard.")}}</span>
  <a id="player-save" class="save" download>{{_("Save")}}</a>
  <button class="plain" id="player-close">{{_("Close")}}</button>
  <span id="player-problem" class="problem" role="alert" hidden></span>
</aside>
