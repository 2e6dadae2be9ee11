"""Who made an image: signatures, attestations, and the policy that requires the former."""
