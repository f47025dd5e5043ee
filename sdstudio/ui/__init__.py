"""What is seen: Qt widgets that send wishes down and show events that come up."""
