test fixture staff {
  has_role(User{"oscar"}, "operator");
  has_role(User{"sue"}, "supporter");
  has_role(User{"aldo"}, "auditor");
}

test fixture tenants {
  has_role(User{"ann"}, "admin", Tenant{"acme"});
  has_role(User{"vic"}, "viewer", Tenant{"acme"});
  has_relation(Server{"s1"}, "tenant", Tenant{"acme"});
  has_relation(Server{"s2"}, "tenant", Tenant{"globex"});
}

test "global permissions follow from global roles" {
  setup { fixture staff; fixture tenants; }

  assert allow(user: User, "status.publish") iff user = User{"oscar"};
  assert allow(user: User, "audit_log.read") iff user = User{"aldo"};
  assert has_permission(User{"oscar"}, action: String) iff action = "status.publish";
  assert_not allow(User{"sue"}, "status.publish");
  # A role on a tenant is not a role on the site.
  assert_not allow(User{"ann"}, "status.publish");
}

test "an operator is a supporter as well" {
  setup { fixture staff; }

  assert has_role(User{"oscar"}, role: String) iff role in ["operator", "supporter"];
  assert has_role(User{"sue"}, role: String) iff role = "supporter";
  assert allow(User{"oscar"}, "reboot", Server{"s1"});
}

test "staff reaches every tenant, also one that no fact mentions" {
  setup { fixture staff; fixture tenants; }

  assert allow(User{"sue"}, "read", _: Tenant);
  assert allow(User{"aldo"}, "read", _: Tenant);
  assert allow(User{"oscar"}, "suspend", _: Tenant);

  assert allow(User{"sue"}, "read", Tenant{"newcomer"});
  assert allow(User{"aldo"}, "read", Tenant{"acme"});
  assert_not allow(User{"sue"}, "edit", Tenant{"acme"});
  assert_not allow(User{"sue"}, "suspend", Tenant{"acme"});
  assert_not allow(User{"aldo"}, "suspend", Tenant{"acme"});
}

test "tenants keep to their own" {
  setup { fixture staff; fixture tenants; }

  assert allow(User{"ann"}, action: String, Tenant{"acme"}) iff action in ["read", "edit"];
  assert allow(User{"vic"}, action: String, Tenant{"acme"}) iff action = "read";
  assert allow(User{"ann"}, action: String, Server{"s1"}) iff action in ["read", "reboot"];
  assert allow(User{"vic"}, action: String, Server{"s1"}) iff action = "read";
  assert_not allow(User{"ann"}, "read", Tenant{"globex"});
  assert_not allow(User{"ann"}, "read", Server{"s2"});
  assert_not allow(User{"vic"}, "reboot", Server{"s1"});
}

test "support reboots every server, auditors only look" {
  setup { fixture staff; fixture tenants; }

  assert allow(user: User, "reboot", Server{"s2"}) iff user in [User{"oscar"}, User{"sue"}];
  assert allow(user: User, "read", Server{"s2"})
    iff user in [User{"oscar"}, User{"sue"}, User{"aldo"}];
  assert_not allow(User{"aldo"}, "reboot", Server{"s1"});
}

test "erasing needs an operator and a cancelled contract" {
  setup { fixture staff; fixture tenants; is_cancelled(Server{"s2"}); }

  assert allow(user: User, "erase", Server{"s2"}) iff user = User{"oscar"};
  assert allow(User{"oscar"}, "erase", Server{"s2"});
  assert_not allow(User{"oscar"}, "erase", Server{"s1"});
  assert_not allow(User{"sue"}, "erase", Server{"s2"});
}
