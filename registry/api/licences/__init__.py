"""What is answered about e-licences, their forms, their trust and their verification."""
