"""Records of calls, message by message: taken live, saved, played again, compared."""
