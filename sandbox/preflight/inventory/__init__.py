"""What a workspace is made of: packages, their sources and licences, and what ran of them. Starts nothing."""
