# Row: parity, recursive_rule. Left and right recursion mean the same; neither reaches back.

actor Person {}

is_ancestor(a: Person, b: Person) if is_parent(a, b);
is_ancestor(a: Person, b: Person) if c matches Person and is_parent(a, c) and is_ancestor(c, b);

leads(a: Person, b: Person) if is_parent(a, b);
leads(a: Person, b: Person) if c matches Person and is_parent(c, b) and leads(a, c);

allow(a: Person, "tell_stories", b: Person) if is_ancestor(a, b);
allow(a: Person, "lead", b: Person) if leads(a, b);

test "a chain of four" {
  setup {
    is_parent(Person{"ada"}, Person{"bea"});
    is_parent(Person{"bea"}, Person{"cid"});
    is_parent(Person{"cid"}, Person{"dot"});
  }
  assert is_ancestor(a: Person, Person{"dot"})
    iff a in [Person{"ada"}, Person{"bea"}, Person{"cid"}];
  assert is_ancestor(Person{"bea"}, b: Person) iff b in [Person{"cid"}, Person{"dot"}];
  assert allow(Person{"ada"}, "tell_stories", Person{"bea"});
  assert allow(Person{"ada"}, "tell_stories", Person{"dot"});
  assert allow(Person{"cid"}, "lead", Person{"dot"});
  assert allow(Person{"ada"}, "lead", Person{"dot"});
  assert_not allow(Person{"dot"}, "tell_stories", Person{"ada"});
  assert_not allow(Person{"ada"}, "tell_stories", Person{"ada"});
  assert_not allow(Person{"dot"}, "lead", Person{"ada"});
}

test "two parents, one grandchild" {
  setup {
    is_parent(Person{"ada"}, Person{"bea"});
    is_parent(Person{"ada"}, Person{"bob"});
    is_parent(Person{"bea"}, Person{"cid"});
    is_parent(Person{"bob"}, Person{"cid"});
  }
  assert is_ancestor(Person{"ada"}, b: Person) iff b in [Person{"bea"}, Person{"bob"}, Person{"cid"}];
  assert allow(Person{"ada"}, "tell_stories", Person{"cid"});
}
