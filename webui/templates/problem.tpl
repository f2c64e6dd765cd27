% rebase("layout.tpl", title=problem.what)
<div class="empty-state" role="alert">
  <p class="empty-sign" aria-hidden="true">{{problem.status}}</p>
  <h1>{{problem.what}}</h1>
  <p>{{problem.remedy}}</p>
  % for line in problem.details:
  <p class="quiet">{{line}}</p>
  % end
  % if problem.code.endswith("_filter"):
  <p><a href="/calls">‹ {{_("Calls")}}</a></p>
  % end
  <p><a href="/">{{_("To the first page")}}</a></p>
</div>
