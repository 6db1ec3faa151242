# Lists of tasks, shared with teams that read or edit them.

actor User {}

actor Team {}

resource Application {
  permissions = ["create_list", "get_lists"];
}

# Everybody may have lists.
has_permission(_: User, "create_list", _: Application);
has_permission(_: User, "get_lists", _: Application);

resource TaskList {
  roles = ["reader", "editor"];
  permissions = [
    "get_list", "update_list", "delete_list", "create_task", "update_task", "delete_task", "edit_shares",
  ];
  relations = { owner: User, readers: Team, editors: Team };

  permission if "owner";

  "get_list" if "reader" or "editor";
  "update_list" if "editor";
  "create_task" if "editor";
  "update_task" if "editor";
  "delete_task" if "editor";
}

has_role(user: User, "reader", list: TaskList) if
  has_relation(list, "readers", team) and
  in_team(user, team);

has_role(user: User, "editor", list: TaskList) if
  has_relation(list, "editors", team) and
  in_team(user, team);

# A member of a team is in the teams around it as well, however many.
in_team(member: Actor, team: Team) if
  has_group(member, team);
in_team(member: Actor, team: Team) if
  has_group(member, inner) and
  inner matches Team and
  in_team(inner, team);
