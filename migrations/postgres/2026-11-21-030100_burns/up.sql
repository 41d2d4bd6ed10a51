-- What is on its way out of an account: reserved by a burn or a forced transfer that is not final.
ALTER TABLE accounts ADD COLUMN leaving numeric(78,0) NOT NULL DEFAULT 0
    CONSTRAINT accounts_leaving_form CHECK (leaving >= 0 AND leaving <= 115792089237316195423570985008687907853269984665640564039457584007913129639935);
