"""What is made of the minerals, and by whom: bills of materials, and the industries that use a good."""
