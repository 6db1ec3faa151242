# An expense system: reports lie in nested cost centers, and people have managers who have managers.

actor Employee {
  roles = ["superior"];
  permissions = ["see_salary", "see_calendar"];
  relations = { manager: Employee };

  # My manager is above me ...
  "superior" if "manager";
  # ... and so is everybody who is above my manager.
  "superior" if "superior" on "manager";

  "see_calendar" if "superior";
  # Only the direct manager. A relation is not handed on by itself.
  "see_salary" if "manager";
}

# Cost centers form a tree, as folders do.
resource CostCenter {
  roles = ["controller", "bookkeeper"];
  permissions = ["read", "close"];
  relations = { parent: CostCenter };

  "bookkeeper" if "controller";
  # Both roles come down the tree.
  role if role on "parent";

  "read" if "bookkeeper";
  "close" if "controller";
}

resource ExpenseReport {
  permissions = ["read", "submit", "approve", "pay"];
  relations = { author: Employee, cost_center: CostCenter };

  "submit" if "author";
  "read" if "author";
  # Everybody above the author may look and approve.
  "read" if "superior" on "author";
  "approve" if "superior" on "author";
  # A permission of the related resource works as well as a role.
  "read" if "read" on "cost_center";
  "pay" if "bookkeeper" on "cost_center" and is_approved(resource);
}
