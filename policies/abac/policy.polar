# A report archive: what is permitted follows from attributes of people and reports.
# An attribute is a fact, such as `has_status(Report:r1, "published")`.

actor Employee {}

resource Report {
  permissions = ["read", "edit", "publish", "download"];
  relations = { author: Employee };

  # A flag as a fact of its own: either it is stored or it is not.
  # Without a condition on the actor, the rule is about every employee.
  "read" if is_public(resource);

  # Conditions may be combined, and a literal stands for the value of an attribute.
  "edit" if "author" and has_status(resource, "draft");
  "publish" if "author" and has_status(resource, "reviewed");
  "read" if "author";
}

# A flag as a Boolean: the service writes `true` or `false`, and `false` says "decided, and no".
# No rule asks for `false`. Without this line such a fact would be refused as useless.
declare allows_download(Report, Boolean);

has_permission(employee: Employee, "download", report: Report) if
  allows_download(report, true) and
  has_permission(employee, "read", report);

# Two numbers are compared. An employee without clearance and a report without
# sensitivity have no number, and then the rule does not apply.
has_permission(employee: Employee, "read", report: Report) if
  has_status(report, "published") and
  has_clearance(employee, clearance) and
  has_sensitivity(report, sensitivity) and
  clearance >= sensitivity;

# Attributes of both sides may have to be equal: the variable `department` stands in both.
has_permission(employee: Employee, "edit", report: Report) if
  department matches String and
  is_editor_of(employee, department) and
  belongs_to(report, department) and
  has_status(report, status) and
  status in ["draft", "reviewed"];
