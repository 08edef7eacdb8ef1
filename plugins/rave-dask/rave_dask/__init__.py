"""Operations of RAVE on a Dask cluster."""
