CREATE TABLE entries (id int PRIMARY KEY, title text NOT NULL, amount numeric NOT NULL);
INSERT INTO entries SELECT n, 'entry ' || n, n FROM generate_series(1, 1000) n;
