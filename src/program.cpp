// to be filled in by this session
