# Two companies. Acme runs the projects "app" and "web", Globex runs "lab".
test fixture companies {
  has_relation(Project{"app"}, "organization", Organization{"acme"});
  has_relation(Project{"web"}, "organization", Organization{"acme"});
  has_relation(Project{"lab"}, "organization", Organization{"globex"});
}

test fixture staff {
  has_role(User{"olivia"}, "owner", Organization{"acme"});
  has_role(User{"marc"}, "manager", Organization{"acme"});
  has_role(User{"mei"}, "member", Organization{"acme"});
}

test "each role of an organization includes the weaker one" {
  setup { fixture staff; }

  assert allow(User{"olivia"}, action: String, Organization{"acme"})
    iff action in ["read", "invite", "project.create", "delete"];
  assert allow(User{"marc"}, action: String, Organization{"acme"})
    iff action in ["read", "invite", "project.create"];
  assert allow(User{"mei"}, action: String, Organization{"acme"})
    iff action in ["read", "project.create"];

  assert allow(User{"olivia"}, "delete", Organization{"acme"});
  assert allow(User{"marc"}, "invite", Organization{"acme"});
  assert_not allow(User{"marc"}, "delete", Organization{"acme"});
  assert_not allow(User{"mei"}, "invite", Organization{"acme"});
  assert_not allow(User{"stranger"}, "read", Organization{"acme"});
}

test "a role on one company is none on another" {
  setup { fixture companies; fixture staff; }

  assert allow(User{"olivia"}, "read", organization: Organization)
    iff organization = Organization{"acme"};
  assert allow(User{"olivia"}, "configure", project: Project)
    iff project in [Project{"app"}, Project{"web"}];
  assert_not allow(User{"olivia"}, "read", Project{"lab"});
  assert_not allow(User{"olivia"}, "delete", Organization{"globex"});
}

test "a role on the organization reaches its projects" {
  setup { fixture companies; fixture staff; }

  assert has_role(User{"olivia"}, "lead", Project{"web"});
  assert has_role(User{"marc"}, role: String, Project{"app"})
    iff role in ["lead", "developer", "reporter"];
  assert has_role(User{"mei"}, role: String, Project{"app"}) iff role = "reporter";

  assert allow(User{"mei"}, "read", Project{"app"});
  assert allow(User{"mei"}, "issue.create", Project{"app"});
  assert_not allow(User{"mei"}, "issue.close", Project{"app"});
  assert_not allow(User{"mei"}, "configure", Project{"app"});
}

test "a role on a project counts for this project only" {
  setup {
    fixture companies;
    has_role(User{"lea"}, "lead", Project{"app"});
    has_role(User{"dev"}, "developer", Project{"app"});
    has_role(User{"rita"}, "reporter", Project{"app"});
  }

  assert allow(User{"lea"}, action: String, Project{"app"})
    iff action in ["read", "issue.create", "issue.close", "configure"];
  assert allow(User{"dev"}, action: String, Project{"app"})
    iff action in ["read", "issue.create", "issue.close"];
  assert allow(User{"rita"}, action: String, Project{"app"})
    iff action in ["read", "issue.create"];

  assert_not allow(User{"lea"}, "read", Project{"web"});
  assert_not allow(User{"lea"}, "read", Organization{"acme"});
}
