# A repository host that is paid for: what an organization may use follows from its plan,
# what a user may use from the user's role as well.

actor User {}

resource Organization {
  roles = ["admin", "member"];
  permissions = ["repository.create", "pipeline.run", "sso.configure", "plan.change"];
  relations = { plan: Plan };

  "member" if "admin";

  "plan.change" if "admin";
  "repository.create" if "member" and has_quota_left(resource, "repositories");
  "pipeline.run" if "member" and has_quota_left(resource, "pipeline minutes");
  "sso.configure" if "admin" and has_feature(resource, "single sign-on");
}

# What an organization pays for.
resource Plan {}

# The price list changes rarely, so it stands in the policy: facts without a condition.
plan_quota(Plan{"free"}, "repositories", 3);
plan_quota(Plan{"free"}, "pipeline minutes", 100);
plan_quota(Plan{"team"}, "repositories", 50);
plan_quota(Plan{"team"}, "pipeline minutes", 3000);
plan_feature(Plan{"team"}, "code owners");
plan_feature(Plan{"enterprise"}, "code owners");
plan_feature(Plan{"enterprise"}, "single sign-on");

# Something is left while less is used than the plan includes.
# The billing service keeps the numbers of what is used up to date.
has_quota_left(organization: Organization, what: String) if
  plan matches Plan and
  has_relation(organization, "plan", plan) and
  plan_quota(plan, what, quota) and
  has_used(organization, what, used) and
  used < quota;

# More than the plan includes, bought for one organization.
has_quota_left(organization: Organization, what: String) if
  has_bought(organization, what, quota) and
  has_used(organization, what, used) and
  used < quota;

# The largest plan has no limits.
has_quota_left(organization: Organization, _: String) if
  has_relation(organization, "plan", Plan{"enterprise"});

# A feature comes with the plan ...
has_feature(organization: Organization, feature: String) if
  plan matches Plan and
  has_relation(organization, "plan", plan) and
  plan_feature(plan, feature);

# ... or with a flag, for trying it out, unless it is switched off for everybody.
has_feature(organization: Organization, feature: String) if
  has_flag(organization, feature) and
  not is_switched_off(feature);

resource Repository {
  permissions = ["read", "assign_code_owners"];
  relations = { organization: Organization };

  "read" if "member" on "organization";
}

# Shorthand speaks about the resource of its block; here the feature is one of the organization.
has_permission(user: User, "assign_code_owners", repository: Repository) if
  organization matches Organization and
  has_relation(repository, "organization", organization) and
  has_role(user, "admin", organization) and
  has_feature(organization, "code owners");
