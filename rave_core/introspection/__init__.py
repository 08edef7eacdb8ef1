"""Why a call would miss, what it would have to run, and what each operation keeps."""
