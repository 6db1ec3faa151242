# Row: resource_blocks, the case from end to end: organizations, repositories, issues and teams.

actor User {}
actor Team {}

resource Org {
  roles = ["owner", "member"];
  permissions = ["invite", "create_repo"];

  "create_repo" if "member";
  "invite" if "owner";
  "member" if "owner";
}

resource Repo {
  roles = ["writer", "reader"];
  permissions = ["push", "pull"];
  relations = { parent: Org };

  "pull" if "reader";
  "push" if "writer";
  "reader" if "writer";
  "reader" if "member" on "parent";
  "writer" if "owner" on "parent";
}

resource Issue {
  permissions = ["edit", "close"];
  relations = { parent: Repo, creator: User };

  "edit" if "writer" on "parent";
  "edit" if "creator";
  "close" if "creator" or "push" on "parent";
}

has_role(user: User, role: String, resource: Resource) if
  team matches Team and
  on_team(user, team) and
  has_role(team, role, resource);

test fixture world {
  has_relation(Repo{"engine"}, "parent", Org{"works"});
  has_relation(Repo{"garden"}, "parent", Org{"park"});
  has_relation(Issue{"smoke"}, "parent", Repo{"engine"});
  has_relation(Issue{"weeds"}, "parent", Repo{"garden"});
  has_relation(Issue{"smoke"}, "creator", User{"ines"});
  has_role(User{"otis"}, "owner", Org{"works"});
  has_role(User{"mona"}, "member", Org{"works"});
  has_role(User{"ruth"}, "reader", Repo{"garden"});
  has_role(Team{"smiths"}, "writer", Repo{"engine"});
  has_role(Team{"board"}, "owner", Org{"park"});
  on_team(User{"theo"}, Team{"smiths"});
  on_team(User{"bert"}, Team{"board"});
}

test "organizations" {
  setup { fixture world; }
  assert allow(User{"otis"}, "invite", Org{"works"});
  assert allow(User{"otis"}, "create_repo", Org{"works"});
  assert allow(User{"mona"}, "create_repo", Org{"works"});
  assert_not allow(User{"mona"}, "invite", Org{"works"});
  assert_not allow(User{"otis"}, "invite", Org{"park"});
  assert allow(User{"bert"}, "invite", Org{"park"});
  assert_not allow(User{"theo"}, "create_repo", Org{"works"});
}

test "repositories" {
  setup { fixture world; }
  assert allow(User{"otis"}, action: String, Repo{"engine"}) iff action in ["push", "pull"];
  assert allow(User{"mona"}, action: String, Repo{"engine"}) iff action = "pull";
  assert allow(User{"otis"}, "push", Repo{"engine"});
  assert allow(User{"mona"}, "pull", Repo{"engine"});
  assert_not allow(User{"mona"}, "push", Repo{"engine"});
  assert allow(User{"ruth"}, "pull", Repo{"garden"});
  assert_not allow(User{"ruth"}, "push", Repo{"garden"});
  assert_not allow(User{"ruth"}, "pull", Repo{"engine"});
  assert allow(User{"theo"}, "push", Repo{"engine"});
  assert allow(User{"bert"}, "push", Repo{"garden"});
  assert_not allow(User{"ines"}, "pull", Repo{"engine"});
}

test "issues" {
  setup { fixture world; }
  assert allow(user: User, "edit", Issue{"smoke"})
    iff user in [User{"ines"}, User{"otis"}, User{"theo"}];
  assert allow(user: User, "close", Issue{"weeds"}) iff user = User{"bert"};
  assert allow(User{"ines"}, "edit", Issue{"smoke"});
  assert allow(User{"otis"}, "close", Issue{"smoke"});
  assert_not allow(User{"mona"}, "edit", Issue{"smoke"});
  assert_not allow(User{"ines"}, "edit", Issue{"weeds"});
}

test "teams are actors as well" {
  setup { fixture world; }
  assert allow(Team{"smiths"}, "push", Repo{"engine"});
  assert allow(Team{"board"}, "push", Repo{"garden"});
  assert_not allow(Team{"smiths"}, "push", Repo{"garden"});
  assert has_role(User{"theo"}, role: String, Repo{"engine"}) iff role in ["writer", "reader"];
}
