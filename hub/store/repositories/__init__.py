"""What a transaction can do, one repository for each noun."""
