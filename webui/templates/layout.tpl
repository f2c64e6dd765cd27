<!doctype html>
<html lang="{{words.html_language}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}} · {{box.name}}</title>
<link rel="stylesheet" href="/static/linebox.css?v={{version}}">
<link rel="icon" href="/static/linebox.svg?v={{version}}" type="image/svg+xml">
% if script:
<script type="module" src="/static/{{script}}.js?v={{version}}"></script>
% end
</head>
<body class="page-{{page.replace("_", "-")}}">
% if caller:
<a class="skip" href="#main">{{_("To the content")}}</a>
<header class="top-bar">
  <a class="brand" href="/"><b>线匣</b><span class="box-name">{{box.name}}</span><span class="region">{{box.region}}</span></a>
  <nav aria-label="{{_("Screens")}}">
    % for address, name, shown in (("/desk", _("Desk"), bool(caller.agent)), ("/wall", _("Wall"), True), ("/calls", _("Calls"), True)):
      % if shown:
    <a href="{{address}}" {{!'aria-current="page"' if page == address[1:] or (page == "call" and address == "/calls") else ""}}>{{name}}</a>
      % end
    % end
  </nav>
  <div class="top-right">
    % if caller.agent:
    <span id="own-state" class="state-chip live" hidden><span class="state-word"></span> <time class="timer"></time></span>
    % end
    <span id="alarms" class="alarms live" role="status"></span>
    <time id="clock" class="clock"></time>
    <span class="languages">
      % for code, name in languages.items():
        % if code == words.language:
      <b>{{name}}</b>
        % else:
      <a href="{{language_links[code]}}" lang="{{code.replace("_", "-")}}">{{name}}</a>
        % end
      % end
    </span>
    <form method="post" action="/sign-out" class="who"><span title="{{caller.name}}">{{caller.login.name}}</span> <button class="plain">{{_("Sign out")}}</button></form>
  </div>
</header>
<div id="connection-bar" class="connection-bar" role="status" hidden></div>
% end
<main id="main">
{{!base}}
</main>
% if data is not None:
<script type="application/json" id="page-data">{{!json_for_page(data)}}</script>
% end
</body>
</html>
