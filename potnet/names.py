"""What questions about addresses need of the model, without what it loads: netaddr takes 10 ms."""

#: The bridges that every host may have; private ones cannot take these names.
PUBLIC = "public"
PUBLIC6 = "public6"
