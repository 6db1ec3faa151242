# Each organization has the admin "ada" and the member "max".
test fixture customers {
  has_relation(Organization{"garage"}, "plan", Plan{"free"});
  has_relation(Organization{"studio"}, "plan", Plan{"team"});
  has_relation(Organization{"bank"}, "plan", Plan{"enterprise"});
  has_role(User{"ada"}, "admin", Organization{"garage"});
  has_role(User{"ada"}, "admin", Organization{"studio"});
  has_role(User{"ada"}, "admin", Organization{"bank"});
  has_role(User{"max"}, "member", Organization{"garage"});
  has_role(User{"max"}, "member", Organization{"studio"});
  has_role(User{"max"}, "member", Organization{"bank"});
}

test "the price list" {
  assert plan_quota(Plan{"free"}, what: String, quota: Integer)
    iff (what = "repositories" and quota = 3) or (what = "pipeline minutes" and quota = 100);
  assert plan_quota(Plan{"team"}, what: String, quota: Integer)
    iff (what = "repositories" and quota = 50) or (what = "pipeline minutes" and quota = 3000);
  assert plan_feature(Plan{"team"}, feature: String) iff feature = "code owners";
  assert plan_feature(Plan{"enterprise"}, feature: String)
    iff feature in ["code owners", "single sign-on"];
  assert_not plan_feature(Plan{"free"}, "code owners");
}

test "the last one of the quota is given, and none after it" {
  setup {
    fixture customers;
    has_used(Organization{"garage"}, "repositories", 2);
    has_used(Organization{"studio"}, "repositories", 50);
  }

  assert allow(User{"max"}, "repository.create", Organization{"garage"});
  assert_not allow(User{"max"}, "repository.create", Organization{"studio"});
}

test "the free plan is full with three" {
  setup { fixture customers; has_used(Organization{"garage"}, "repositories", 3); }

  assert_not allow(User{"max"}, "repository.create", Organization{"garage"});
  assert_not allow(User{"ada"}, "repository.create", Organization{"garage"});
}

test "quotas are counted one by one" {
  setup {
    fixture customers;
    has_used(Organization{"studio"}, "repositories", 50);
    has_used(Organization{"studio"}, "pipeline minutes", 2999);
    has_used(Organization{"garage"}, "pipeline minutes", 100);
  }

  assert allow(User{"max"}, action: String, Organization{"studio"}) iff action = "pipeline.run";
  assert allow(User{"max"}, "pipeline.run", Organization{"studio"});
  assert_not allow(User{"max"}, "pipeline.run", Organization{"garage"});
}

test "without a count nothing is left: first the count, then the use" {
  setup { fixture customers; }

  assert_not allow(User{"ada"}, "repository.create", Organization{"garage"});
}

test "what was bought comes on top" {
  setup {
    fixture customers;
    has_used(Organization{"garage"}, "repositories", 7);
    has_bought(Organization{"garage"}, "repositories", 10);
    has_used(Organization{"studio"}, "repositories", 70);
    has_bought(Organization{"studio"}, "repositories", 70);
  }

  assert allow(User{"max"}, "repository.create", Organization{"garage"});
  assert_not allow(User{"max"}, "repository.create", Organization{"studio"});
}

test "the enterprise plan has no limit" {
  setup { fixture customers; has_used(Organization{"bank"}, "repositories", 100000); }

  assert allow(User{"max"}, action: String, Organization{"bank"})
    iff action in ["repository.create", "pipeline.run"];
  assert has_quota_left(Organization{"bank"}, _: String);
}

test "a plan is no role" {
  setup { fixture customers; has_used(Organization{"garage"}, "repositories", 0); }

  assert allow(user: User, "repository.create", Organization{"garage"})
    iff user in [User{"ada"}, User{"max"}];
  assert_not allow(User{"guest"}, "repository.create", Organization{"bank"});
  assert allow(user: User, "plan.change", Organization{"garage"}) iff user = User{"ada"};
}

test "features come with the plan" {
  setup { fixture customers; }

  assert allow(User{"ada"}, "sso.configure", organization: Organization)
    iff organization = Organization{"bank"};
  assert_not allow(User{"max"}, "sso.configure", Organization{"bank"});
}

test "a flag switches a feature on, and one fact switches it off for all flags" {
  setup {
    fixture customers;
    has_flag(Organization{"garage"}, "single sign-on");
    has_flag(Organization{"studio"}, "dark mode");
    is_switched_off("dark mode");
  }

  assert allow(User{"ada"}, "sso.configure", Organization{"garage"});
  assert has_feature(Organization{"garage"}, feature: String) iff feature = "single sign-on";
  assert_not has_feature(Organization{"studio"}, "dark mode");
}

test "code owners are assigned by admins whose plan has them" {
  setup {
    fixture customers;
    has_relation(Repository{"site"}, "organization", Organization{"garage"});
    has_relation(Repository{"film"}, "organization", Organization{"studio"});
    has_relation(Repository{"core"}, "organization", Organization{"bank"});
  }

  assert allow(User{"ada"}, "assign_code_owners", repository: Repository)
    iff repository in [Repository{"film"}, Repository{"core"}];
  assert allow(User{"max"}, action: String, Repository{"film"}) iff action = "read";
  assert_not allow(User{"ada"}, "assign_code_owners", Repository{"site"});
  assert_not allow(User{"guest"}, "read", Repository{"film"});
}
