# Acme has two locations with a system each, Globex has one.
test fixture sites {
  has_relation(Location{"acme-hq"}, "customer", Customer{"acme"});
  has_relation(Location{"acme-depot"}, "customer", Customer{"acme"});
  has_relation(Location{"globex-lab"}, "customer", Customer{"globex"});
  has_relation(SecuritySystem{"s1"}, "location", Location{"acme-hq"});
  has_relation(SecuritySystem{"s2"}, "location", Location{"acme-depot"});
  has_relation(SecuritySystem{"s3"}, "location", Location{"globex-lab"});
}

test fixture customer_staff {
  has_role(Employee{"alice"}, "admin", Customer{"acme"});
  has_role(Employee{"olga"}, "operator", Customer{"acme"});
  has_role(Employee{"vic"}, "viewer", Customer{"acme"});
}

test fixture location_staff {
  has_role(Employee{"mia"}, "manager", Location{"acme-depot"});
  has_role(Employee{"bob"}, "guard", Location{"acme-hq"});
  has_role(Employee{"eve"}, "viewer", Location{"acme-hq"});
}

test "roles on a customer include each other" {
  setup { fixture customer_staff; }

  assert allow(Employee{"alice"}, action: String, Customer{"acme"}) iff action in ["view", "manage"];
  assert allow(Employee{"olga"}, action: String, Customer{"acme"}) iff action = "view";
  assert allow(Employee{"vic"}, action: String, Customer{"acme"}) iff action = "view";
  assert has_role(Employee{"alice"}, role: String, Customer{"acme"})
    iff role in ["admin", "operator", "viewer"];
  assert_not allow(Employee{"olga"}, "manage", Customer{"acme"});
  assert_not allow(Employee{"alice"}, "view", Customer{"globex"});
}

test "each role on a customer becomes one on its locations" {
  setup { fixture sites; fixture customer_staff; }

  assert has_role(Employee{"alice"}, "manager", location: Location)
    iff location in [Location{"acme-hq"}, Location{"acme-depot"}];
  assert has_role(Employee{"olga"}, role: String, Location{"acme-hq"}) iff role in ["guard", "viewer"];
  assert has_role(Employee{"vic"}, role: String, Location{"acme-hq"}) iff role = "viewer";
  assert allow(employee: Employee, "view", Location{"acme-depot"})
    iff employee in [Employee{"alice"}, Employee{"olga"}, Employee{"vic"}];
}

test "a role on a customer reaches all of its systems" {
  setup { fixture sites; fixture customer_staff; }

  assert allow(Employee{"alice"}, "disarm", system: SecuritySystem)
    iff system in [SecuritySystem{"s1"}, SecuritySystem{"s2"}];
  assert allow(Employee{"olga"}, action: String, SecuritySystem{"s2"}) iff action in ["view", "arm"];
  assert allow(Employee{"vic"}, action: String, SecuritySystem{"s2"}) iff action = "view";
  assert allow(Employee{"alice"}, "disarm", SecuritySystem{"s1"});
  assert_not allow(Employee{"olga"}, "disarm", SecuritySystem{"s1"});
  assert_not allow(Employee{"vic"}, "arm", SecuritySystem{"s1"});
  assert_not allow(Employee{"alice"}, "view", SecuritySystem{"s3"});
}

test "a role on a location reaches the systems of this location only" {
  setup { fixture sites; fixture location_staff; }

  assert allow(Employee{"mia"}, action: String, SecuritySystem{"s2"})
    iff action in ["view", "arm", "disarm"];
  assert allow(Employee{"bob"}, action: String, SecuritySystem{"s1"}) iff action in ["view", "arm"];
  assert allow(Employee{"eve"}, action: String, SecuritySystem{"s1"}) iff action = "view";
  assert allow(Employee{"mia"}, "disarm", SecuritySystem{"s2"});
  assert allow(Employee{"bob"}, "arm", SecuritySystem{"s1"});
  assert_not allow(Employee{"mia"}, "view", SecuritySystem{"s1"});
  assert_not allow(Employee{"bob"}, "disarm", SecuritySystem{"s1"});
  assert_not allow(Employee{"eve"}, "arm", SecuritySystem{"s1"});
  # No role climbs up to the customer.
  assert_not allow(Employee{"mia"}, "view", Customer{"acme"});
}

test "a system without a location is out of reach" {
  setup { fixture customer_staff; }

  assert_not allow(Employee{"alice"}, "view", SecuritySystem{"s9"});
}

test "a suspended employee loses everything at once" {
  setup {
    fixture sites;
    fixture customer_staff;
    has_role(Employee{"alice"}, "manager", Location{"acme-hq"});
    is_suspended(Employee{"alice"});
  }

  assert_not allow(Employee{"alice"}, _: String, Customer{"acme"});
  assert_not allow(Employee{"alice"}, _: String, SecuritySystem{"s1"});
  assert_not allow(Employee{"alice"}, "view", SecuritySystem{"s1"});
  # The roles stay on file, and the others keep theirs.
  assert has_permission(Employee{"alice"}, "disarm", SecuritySystem{"s1"});
  assert allow(Employee{"olga"}, "arm", SecuritySystem{"s1"});
}
