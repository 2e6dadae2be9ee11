"""The containers service: one container's life as its users see it, made of what the runtime and the resource managers do."""
