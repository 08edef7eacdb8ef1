"""Several backends as one, small and near first."""
