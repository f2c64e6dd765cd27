% rebase("layout.tpl", title=_("Sign in"))
<form method="post" action="/sign-in" class="sign-in">
  <h1><b>线匣</b> {{box.name}}</h1>
  <p class="quiet">{{_("Hotline workplace")}}</p>
  % if problem:
  <p class="problem" role="alert"><b>{{problem.what}}</b> {{problem.remedy}}</p>
  % end
  <label>{{_("Name")}} <input name="login" value="{{login}}" autocomplete="username" required maxlength="64" {{!"" if login else "autofocus"}}></label>
  <label>{{_("Password")}} <input name="password" type="password" autocomplete="current-password" required maxlength="256" {{!"autofocus" if login else ""}}></label>
  <input type="hidden" name="next" value="{{next}}">
  <button class="primary">{{_("Sign in")}}</button>
  <p class="languages">
    % for code, name in languages.items():
      % if code == words.language:
    <b>{{name}}</b>
      % else:
    <a href="{{language_links[code]}}" lang="{{code.replace("_", "-")}}">{{name}}</a>
      % end
    % end
  </p>
</form>
